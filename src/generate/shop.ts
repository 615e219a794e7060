// The shop: its services, stores and visitors. Only data; what a span of it looks like is decided in `shapes.ts`. A change here
// changes the bytes of every seed.
import {
  call,
  consumer,
  type EndpointSpec,
  type EntrySpec,
  grpc,
  http,
  inside,
  job,
  type Language,
  maybe,
  publish,
  query,
  type ServiceSpec,
  type StoreSpec,
  several,
  together,
} from './spec.ts';

const service = (
  name: string,
  namespace: string,
  language: Language,
  version: string,
  pods: number,
  endpoints: readonly EndpointSpec[],
): ServiceSpec => ({
  name,
  namespace,
  language,
  version,
  pods,
  saysOk: name === 'auth' || name === 'pricing',
  endpoints,
});

const verify = call('auth AuthService/VerifyToken', { retry: true });

export const STORES: Readonly<Record<string, StoreSpec>> = {
  'orders-db': store('postgresql', 'orders', 'server', 'postgres-orders.shop.svc.cluster.local', 5432),
  'catalog-db': store('postgresql', 'catalog', 'server', 'postgres-catalog.shop.svc.cluster.local', 5432),
  'users-db': store('postgresql', 'users', 'server', 'postgres-users.shop.svc.cluster.local', 5432),
  'payments-db': store('postgresql', 'payments', 'server', 'postgres-payments.shop.svc.cluster.local', 5432),
  'stock-db': store('mysql', 'stock', 'server', 'mysql-stock-primary.shop.svc.cluster.local', 3306),
  sessions: store('redis', '0', 'network', '10.42.7.19', 6379),
  carts: store('redis', '1', 'network', '10.42.7.23', 6379),
  reviews: store('mongodb', 'shop_reviews', 'namespace', '', 27017),
  'product-index': store('elasticsearch', 'products', 'peer', 'elasticsearch', 9200),
};

function store(
  system: StoreSpec['system'],
  namespace: string,
  named: StoreSpec['named'],
  host: string,
  port: number,
): StoreSpec {
  return { system, namespace, named, host, port };
}

export const SERVICES: readonly ServiceSpec[] = [
  service('web-frontend', 'storefront', 'nodejs', '5.18.2', 2, [
    http('GET', '/', 2600, [call('api-gateway GET /api/home'), inside('renderPage', 3900)]),
    http('GET', '/products/{slug}', 2300, [call('api-gateway GET /api/products/{id}'), inside('renderPage', 4700)], {
      refuse: 12,
    }),
    http('GET', '/search', 2100, [call('api-gateway GET /api/search'), inside('renderPage', 5200)]),
    http('GET', '/cart', 1800, [call('api-gateway GET /api/cart'), inside('renderPage', 2900)]),
    http('POST', '/cart/items', 1500, [call('api-gateway POST /api/cart/items')], { refuse: 20 }),
    http('POST', '/checkout', 2900, [inside('validateForm', 700), call('api-gateway POST /api/checkout')], {
      refuse: 15,
    }),
    http('POST', '/login', 1700, [call('api-gateway POST /api/sessions')]),
    http('GET', '/account/orders/{id}', 1900, [call('api-gateway GET /api/orders/{id}'), inside('renderPage', 2600)]),
  ]),
  service('api-gateway', 'storefront', 'go', '2.44.0', 3, [
    http('GET', '/api/home', 700, [
      maybe(600, verify),
      together(
        call('recommendations RecommendationService/ListFor', { optional: true, timeoutMs: 250 }),
        call('catalog CatalogService/ListFeatured'),
      ),
    ]),
    http('GET', '/api/products/{id}', 650, [
      maybe(600, verify),
      call('catalog CatalogService/GetProduct', { retry: true }),
      together(
        call('pricing POST /v2/quotes'),
        call('reviews GET /reviews/{productId}', { optional: true, timeoutMs: 400 }),
        call('inventory StockService/GetLevels', { optional: true }),
      ),
    ]),
    http('GET', '/api/search', 600, [
      call('search GET /search', { timeoutMs: 900 }),
      maybe(400, publish('analytics shop.clicks')),
    ]),
    http('GET', '/api/cart', 500, [verify, call('cart CartService/GetCart')]),
    http('POST', '/api/cart/items', 550, [verify, call('cart CartService/AddItem', { retry: true })]),
    http('POST', '/api/checkout', 800, [verify, call('checkout POST /checkout')]),
    http('POST', '/api/sessions', 450, [call('auth POST /sessions')], { refuse: 60 }),
    http('GET', '/api/orders/{id}', 500, [verify, call('orders GET /orders/{id}')]),
  ]),
  service('auth', 'identity', 'go', '1.9.3', 2, [
    grpc('AuthService', 'VerifyToken', 180, [query('sessions', 'GET', '', 420)], { refuse: 25 }),
    http(
      'POST',
      '/sessions',
      900,
      [
        query('users-db', 'SELECT', 'accounts', 1700),
        inside('verifyPassword', 61000),
        query('sessions', 'SETEX', '', 450),
      ],
      { refuse: 90 },
    ),
  ]),
  service('catalog', 'catalog', 'java', '7.2.1', 2, [
    grpc('CatalogService', 'ListFeatured', 1300, [
      query('catalog-db', 'SELECT', 'products', 3900, 'spiky'),
      inside('mapRows', 450),
    ]),
    grpc('CatalogService', 'GetProduct', 700, [query('catalog-db', 'SELECT', 'products', 1500)], {
      refuse: 15,
      fail: 4,
    }),
  ]),
  service('search', 'catalog', 'java', '4.0.7', 2, [
    http(
      'GET',
      '/search',
      1600,
      [
        inside('parseQuery', 350),
        query('product-index', 'search', 'products', 14000, 'spiky'),
        call('pricing POST /v2/quotes'),
      ],
      { spread: 'spiky', fail: 5 },
    ),
  ]),
  service('recommendations', 'catalog', 'python', '0.31.5', 2, [
    grpc(
      'RecommendationService',
      'ListFor',
      2100,
      [
        query('carts', 'HGETALL', '', 520),
        inside('rankCandidates', 17000),
        several(1, 3, call('catalog CatalogService/GetProduct', { optional: true })),
      ],
      { spread: 'spiky', fail: 12 },
    ),
  ]),
  service('reviews', 'catalog', 'nodejs', '2.2.9', 1, [
    http('GET', '/reviews/{productId}', 900, [query('reviews', 'find', 'reviews', 3100, 'spiky')], {
      refuse: 30,
      fail: 6,
    }),
  ]),
  service('cart', 'checkout', 'dotnet', '3.5.0', 2, [
    grpc('CartService', 'GetCart', 350, [
      query('carts', 'HGETALL', '', 480),
      maybe(300, call('pricing POST /v2/quotes')),
    ]),
    grpc('CartService', 'AddItem', 450, [
      call('catalog CatalogService/GetProduct'),
      query('carts', 'HSET', '', 510),
      maybe(500, publish('analytics shop.clicks')),
    ]),
    grpc('CartService', 'EmptyCart', 250, [query('carts', 'DEL', '', 400)]),
  ]),
  service('pricing', 'checkout', 'go', '1.27.4', 2, [
    http('POST', '/v2/quotes', 420, [
      inside('applyRules', 900),
      maybe(250, query('catalog-db', 'SELECT', 'price_lists', 1200)),
    ]),
  ]),
  service('inventory', 'fulfilment', 'java', '6.11.0', 2, [
    grpc('StockService', 'GetLevels', 600, [query('stock-db', 'SELECT', 'stock_levels', 1900)]),
    grpc(
      'StockService',
      'Reserve',
      1100,
      [query('stock-db', 'SELECT', 'stock_levels', 2100), query('stock-db', 'UPDATE', 'reservations', 3600, 'spiky')],
      { refuse: 20, fail: 15 },
    ),
    job('restock', 5200, [
      query('stock-db', 'SELECT', 'stock_levels', 21000, 'spiky'),
      several(1, 3, query('stock-db', 'UPDATE', 'stock_levels', 2800)),
    ]),
  ]),
  service('checkout', 'checkout', 'java', '8.3.2', 2, [
    http(
      'POST',
      '/checkout',
      2400,
      [
        call('cart CartService/GetCart', { retry: true }),
        inside('priceOrder', 650, call('pricing POST /v2/quotes', { retry: true })),
        call('inventory StockService/Reserve', { retry: true, timeoutMs: 700 }),
        call('payment PaymentService/Charge', { retry: true }),
        call('orders POST /orders'),
        together(
          call('cart CartService/EmptyCart', { optional: true }),
          call('shipping POST /quotes', { optional: true, timeoutMs: 600 }),
        ),
      ],
      { fail: 4 },
    ),
  ]),
  service('payment', 'payments', 'java', '5.0.4', 2, [
    grpc(
      'PaymentService',
      'Charge',
      1500,
      [
        call('fraud FraudService/Score', { optional: true, timeoutMs: 300 }),
        query('payments-db', 'INSERT', 'charges', 2300),
        {
          type: 'external',
          host: 'api.payments.example',
          peer: 'card-acquirer',
          method: 'POST',
          path: '/v1/charges',
          work: { medianUs: 130000, spread: 'spiky' },
          failPerMille: 25,
        },
        query('payments-db', 'UPDATE', 'charges', 1900),
      ],
      { refuse: 30, fail: 5 },
    ),
    http('POST', '/webhooks/{provider}', 800, [
      query('payments-db', 'UPDATE', 'charges', 1900),
      publish('orders payments.settled'),
    ]),
  ]),
  service('fraud', 'payments', 'python', '1.4.18', 1, [
    grpc(
      'FraudService',
      'Score',
      1900,
      [inside('scoreModel', 26000), maybe(300, query('users-db', 'SELECT', 'devices', 1600))],
      {
        spread: 'spiky',
        fail: 8,
      },
    ),
  ]),
  service('orders', 'fulfilment', 'dotnet', '4.6.1', 2, [
    http('POST', '/orders', 1200, [
      query('orders-db', 'INSERT', 'orders', 2600),
      several(1, 3, query('orders-db', 'INSERT', 'order_lines', 1300)),
      publish('shipping orders.placed'),
      publish('email orders.confirmed'),
    ]),
    http('GET', '/orders/{id}', 700, [query('orders-db', 'SELECT', 'orders', 1500)], { refuse: 25 }),
    consumer('payments.settled', 900, [query('orders-db', 'UPDATE', 'orders', 1800)]),
    job('reconcile', 3800, [
      query('orders-db', 'SELECT', 'orders', 34000, 'spiky'),
      several(1, 4, call('shipping POST /quotes', { optional: true })),
      maybe(500, publish('analytics shop.clicks')),
    ]),
  ]),
  service('shipping', 'fulfilment', 'go', '2.1.6', 2, [
    http('POST', '/quotes', 500, [query('orders-db', 'SELECT', 'carriers', 1100)], { fail: 7 }),
    consumer('orders.placed', 1400, [
      {
        type: 'external',
        host: 'labels.carrier.example',
        peer: '',
        method: 'PUT',
        path: '/labels/{id}',
        work: { medianUs: 88000, spread: 'spiky' },
        failPerMille: 18,
      },
      query('orders-db', 'UPDATE', 'shipments', 2100),
    ]),
  ]),
  service('email', 'fulfilment', 'nodejs', '1.13.0', 1, [
    consumer(
      'orders.confirmed',
      1100,
      [
        inside('renderTemplate', 6100),
        {
          type: 'external',
          host: 'smtp.mail.example',
          peer: 'mail-relay',
          method: 'POST',
          path: '/v3/messages',
          work: { medianUs: 47000, spread: 'steady' },
          failPerMille: 12,
        },
      ],
      { fail: 9 },
    ),
  ]),
  service('analytics', 'insights', 'python', '0.8.40', 1, [
    consumer('shop.clicks', 700, [inside('sessionize', 1500), maybe(300, query('reviews', 'insert', 'clicks', 1700))]),
  ]),
];

/** What visitors do, by weight; the last three come from outside and from timers. */
export const ENTRIES: readonly EntrySpec[] = [
  entry('web-frontend GET /', 180),
  entry('web-frontend GET /products/{slug}', 260),
  entry('web-frontend GET /search', 160),
  entry('web-frontend GET /cart', 90),
  entry('web-frontend POST /cart/items', 110),
  entry('web-frontend POST /checkout', 45),
  entry('web-frontend POST /login', 40),
  entry('web-frontend GET /account/orders/{id}', 45),
  entry('web-frontend GET /products/{slug}', 20, true),
  entry('payment POST /webhooks/{provider}', 35, true),
  entry('orders reconcile', 8),
  entry('inventory restock', 7),
];

function entry(to: string, weight: number, hasForeignParent = false): EntrySpec {
  return { to, weight, hasForeignParent };
}

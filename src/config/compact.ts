// Objects without their undefined keys: settings are plain data that is compared, printed and stored.

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

export function compact<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, held]) => held !== undefined)) as Defined<T>;
}

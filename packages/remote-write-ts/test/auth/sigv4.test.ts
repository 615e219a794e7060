import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signV4 } from '../../src/index.ts';

// The published examples of AWS' Signature Version 4 test suite.
const KEYS = {
  accessKey: 'AKIDEXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
  service: 'service',
};
const HEADERS = { 'x-amz-date': '20150830T123600Z', host: 'example.amazonaws.com' };
const EMPTY = createHash('sha256').update('').digest('hex');
const PREFIX =
  'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=';

describe('the signature', () => {
  it.each([
    ['GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['POST', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    ['GET', '/?Param2=value2&Param1=value1', 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500'],
  ])('of %s %s is that of the test suite', (method, path, signature) => {
    const url = new URL(path, 'https://example.amazonaws.com');
    expect(signV4({ method, url, headers: HEADERS, payloadHash: EMPTY }, KEYS)).toBe(PREFIX + signature);
  });

  it('changes with whatever is signed', () => {
    const base = { method: 'POST', url: new URL('https://h/a?b=c'), headers: HEADERS, payloadHash: EMPTY };
    const signatures = [
      signV4(base, KEYS),
      signV4({ ...base, url: new URL('https://h/a%20?b=c') }, KEYS),
      signV4({ ...base, url: new URL('https://h/a?b=d') }, KEYS),
      signV4({ ...base, headers: { ...HEADERS, 'x-amz-security-token': 't' } }, KEYS),
      signV4({ ...base, payloadHash: 'f'.repeat(64) }, KEYS),
      signV4(base, { ...KEYS, region: 'eu-west-1' }),
    ];
    expect(new Set(signatures).size).toBe(signatures.length);
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { catalogue, type ErrorCode, fail, toHttpError } from './errors.ts';
import { fromGrpcError, toGrpcError } from './grpc/errors.ts';

const codes = Object.keys(catalogue) as ErrorCode[];

describe('the error catalogue', () => {
  it.each(codes)('%s survives a gRPC hop', (code) => {
    const sent = fail(code, 'because', { field: 'a.b', retryAfterS: 3 });
    const received = fromGrpcError(toGrpcError(sent));
    expect(received).toMatchObject({ code, message: 'because', field: 'a.b', retryAfterS: 3 });
  });

  it('says the SIP answer in the body of an HTTP error', () => {
    expect(toHttpError(fail('limit_calls', 'has 30 of 30 calls', { retryAfterS: 5 }))).toEqual({
      status: 429,
      body: {
        code: 'limit_calls',
        message: 'has 30 of 30 calls',
        sip_status: 503,
        sip_reason: 'Concurrent Call Limit',
        retry_after: 5,
      },
    });
  });

  it('tells a stranger nothing about a fault of its own', () => {
    const error = toHttpError(new Error('password is hunter2'));
    expect(error.status).toBe(500);
    expect(JSON.stringify(error)).not.toContain('hunter2');
  });

  it('is documented, each code once and no other', () => {
    const doc = readFileSync(new URL('../../../docs/architecture.md', import.meta.url), 'utf8');
    const rows = [...doc.matchAll(/^\| `(\w+)` \| (\w+) \| (\d+) \| (\d+) ([^|]*?) \|/gm)];
    const documented = Object.fromEntries(
      rows.map(([, code, , http, sip, reason]) => [code, { http: Number(http), sip: Number(sip), reason }]),
    );
    const real = Object.fromEntries(
      codes.map((code) => {
        const { http, sip, reason } = catalogue[code];
        return [code, { http, sip, reason }];
      }),
    );
    expect(documented).toEqual(real);
  });
});

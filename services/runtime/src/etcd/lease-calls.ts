import { castGrpcError, type Etcd3, EtcdLeaseInvalidError } from 'etcd3';

/** A new lease's id. */
export async function grantLease(client: Etcd3, ttlS: number): Promise<string> {
  return (await client.leaseClient.leaseGrant({ TTL: ttlS })).ID;
}

/** Renews a lease once. Errors: EtcdLeaseInvalidError when etcd knows no such lease (any more). */
export async function renewLease(client: Etcd3, id: string): Promise<void> {
  const stream = await client.leaseClient.leaseKeepAlive();
  try {
    const { TTL } = await new Promise<{ TTL: string }>((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', (error) => reject(castGrpcError(error)));
      stream.on('end', () => reject(new Error('etcd ended the renewal')));
      stream.write({ ID: id });
    });
    if (Number(TTL) <= 0) throw new EtcdLeaseInvalidError(id);
  } finally {
    stream.end();
  }
}

const URI = /^(sips?):(?:[^@]*@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?((?:;[^?]*)?)/;
const SOURCE = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})(?:\/[a-z]+)?$/;

/**
 * "host:port" of a SIP URI, lower case, the port always written (RFC 3261 section
 * 19.1.2: 5061 for TLS, 5060 otherwise); undefined when it is no SIP URI.
 */
export function addressOfUri(uri: string): string | undefined {
  const [, scheme, host, port, parameters] = URI.exec(uri) ?? [];
  if (!host) return undefined;
  const secure = scheme === 'sips' || /;transport=tls(;|$)/i.test(parameters ?? '');
  return `${host.toLowerCase()}:${port ?? (secure ? 5061 : 5060)}`;
}

/** "ip:port" of a node's further address "<ip>:<port>/<transport>"; undefined when it is none. */
export function addressOfSource(source: string): string | undefined {
  const [, host, port] = SOURCE.exec(source) ?? [];
  return host && `${host.toLowerCase()}:${port}`;
}

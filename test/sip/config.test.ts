import { describe, expect, it } from 'vitest';
import { checkConfig } from './kamailio.ts';
import { relays } from './rtpengine.ts';

describe('the configuration of an edge', () => {
  it('is accepted with the least one has to say', async () => {
    expect(await checkConfig()).toBeUndefined();
  });

  it('is accepted with every knob turned', async () => {
    const knobs = {
      ...relays('udp:127.0.0.1:2223'),
      SIP_LISTEN_3: 'udp:127.0.0.3:5060 advertise 198.51.100.7:5060',
      CHILDREN: '8',
      LOG_LEVEL: '3',
      POLICY_TIMEOUT_MS: '250',
      BREAKER_OPEN_S: '5',
      FR_TIMER_MS: '2000',
      FR_INV_TIMER_MS: '60000',
      MAX_MESSAGE_BYTES: '32768',
      PIKE_DENSITY: '10',
      NONCE_EXPIRE_S: '30',
    };
    expect(await checkConfig(knobs)).toBeUndefined();
  });

  it.each([{}, relays('udp:127.0.0.1:2223', 'udp:127.0.0.1:2224')])(
    'of kama-wss is accepted, with and without media relays',
    async (knobs) => {
      expect(await checkConfig(knobs, 'kama-wss')).toBeUndefined();
    },
  );

  it('of kama-wss is accepted with every knob of its own turned', async () => {
    const knobs = {
      MAX_EXPIRES_S: '3600',
      UDP_EXPIRES_S: '60',
      WS_KEEPALIVE_S: '20',
      AGENT_FR_TIMER_MS: '2000',
      ADDRESS_CONNECTIONS: '50',
      TENANT_CONNECTIONS: '1000',
      CONNECTION_MESSAGES: '20',
      UNKNOWN_CONNECTION_S: '5',
      REGISTER_RATE: '100',
      REGISTER_WAIT_S: '20',
      AUDIT_RATE: '5',
      MAX_CONNECTIONS: '20000',
      TCP_READ_BYTES: '40000',
      CONNECTION_LIFETIME_S: '3700',
    };
    expect(await checkConfig(knobs, 'kama-wss')).toBeUndefined();
  });

  it('with a misspelt value is refused', async () => {
    expect(await checkConfig({ FR_TIMER_MS: 'soon' })).toContain('error');
  });
});

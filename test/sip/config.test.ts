import { describe, expect, it } from 'vitest';
import { checkConfig } from './kamailio.ts';

describe('the configuration of kama-pstn', () => {
  it('is accepted with the least one has to say', async () => {
    expect(await checkConfig()).toBeUndefined();
  });

  it('is accepted with every knob turned', async () => {
    const knobs = {
      RTPENGINE_SOCK: '"udp:127.0.0.1:2223"',
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

  it('with a misspelt value is refused', async () => {
    expect(await checkConfig({ FR_TIMER_MS: 'soon' })).toContain('error');
  });
});

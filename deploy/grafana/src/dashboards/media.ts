import type { Board } from '../model.ts';
import { mean, quantile, rate } from '../queries.ts';

const MOS = 'callmesh_media_mos{node=~"$node", tenant=~"$tenant", trunk=~"$trunk"}';
const PACKETS = '{node=~"$node", tenant=~"$tenant", trunk=~"$trunk"}';
const loss = (by: string) =>
  `${rate(`callmesh_media_packets_lost_total${PACKETS}`, by)} / ((${rate(`callmesh_media_packets_total${PACKETS}`, by)} + ${rate(`callmesh_media_packets_lost_total${PACKETS}`, by)}) > 0)`;

export const media: Board = {
  uid: 'callmesh-media',
  title: 'callmesh / Media quality',
  description: 'How do people sound, where, and to whom? Told by each leg when it ends.',
  variables: [
    { name: 'node', label: 'Node', metric: 'callmesh_media_mos_count' },
    { name: 'tenant', label: 'Tenant', metric: 'callmesh_media_mos_count' },
    { name: 'trunk', label: 'Trunk', metric: 'callmesh_media_mos_count' },
  ],
  rows: [
    {
      title: 'Mean opinion score',
      panels: ['node', 'tenant', 'trunk'].map((by) => ({
        ...{ title: `How good is it, by ${by}?`, warn: 4, bad: 3.5, max: 5 },
        description: '4 is good, 3 fair, 2 poor (ITU-T P.800), as FreeSWITCH estimates it.',
        queries: [{ expr: mean(MOS, by), legend: `{{${by}}}` }],
      })),
    },
    {
      title: 'Loss and jitter',
      panels: [
        ...['node', 'tenant', 'trunk'].map((by) => ({
          ...{ title: `How much is lost, by ${by}?`, unit: 'percentunit', warn: 0.005, bad: 0.02 },
          queries: [{ expr: loss(by), legend: `{{${by}}}` }],
        })),
        {
          ...{ title: 'How bad are the worst calls?', warn: 3.5, bad: 3, width: 12 },
          description: 'One leg in twenty is heard worse than this.',
          queries: [{ expr: quantile(0.05, MOS), legend: '5 %' }],
        },
        {
          ...{ title: 'How uneven do packets come?', width: 12 },
          description: "Largest variance of each leg's jitter, milliseconds squared, 95 %.",
          queries: [
            {
              expr: quantile(0.95, 'callmesh_media_jitter_max_variance{node=~"$node"}', 'node'),
              legend: '{{node}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Relays',
      panels: [
        {
          title: 'How many calls does each relay carry?',
          description: 'A call is kept for half a minute after its end.',
          queries: [{ expr: 'sum by (instance) (rtpengine_sessions)', legend: '{{instance}}' }],
        },
        {
          ...{ title: 'How many of its ports are used?', unit: 'percentunit', warn: 0.7, bad: 0.9, max: 1 },
          queries: [
            {
              expr: 'sum by (instance) (rtpengine_ports_used) / sum by (instance) (rtpengine_ports)',
              legend: '{{instance}}',
            },
          ],
        },
        {
          ...{ title: 'How many packets does it relay?', unit: 'pps' },
          queries: [
            { expr: 'sum by (type) (rate(rtpengine_packets_total[$__rate_interval]))', legend: '{{type}}' },
          ],
        },
      ],
    },
  ],
};

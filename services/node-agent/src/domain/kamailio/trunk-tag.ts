import { MediaAnchor, type Trunk } from '@callmesh/proto/tenant';

const ANCHORS: Partial<Record<MediaAnchor, string>> = {
  [MediaAnchor.MEDIA_ANCHOR_ALWAYS]: 'always',
  [MediaAnchor.MEDIA_ANCHOR_NEVER]: 'never',
};

/** `<tenant>|<trunk>|<media_anchor>`: whose a trunk is, as Kamailio's tables say it. */
export function trunkTag(trunk: Trunk): string {
  return `${trunk.tenantId}|${trunk.id}|${ANCHORS[trunk.mediaAnchor] ?? 'auto'}`;
}

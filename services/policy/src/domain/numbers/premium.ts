/**
 * Prefixes a tenant may not call unless it is told to: numbers that pay whoever is
 * called, and numbering plans so small that what is called there is nearly always
 * fraud (one ring and hang up, stolen accounts). A default to begin with: numbering
 * plans change, and an operator's own list replaces this one.
 */
export const premiumPrefixes: readonly string[] = [
  // Satellites and networks without a country; premium rate and shared cost without one.
  ...['+870', '+878', '+881', '+882', '+883', '+888', '+979', '+808'],
  // Premium services of North America, and its islands that are dialled like any US number.
  ...['+1900', '+1242', '+1246', '+1264', '+1268', '+1284', '+1345', '+1441', '+1473', '+1649', '+1658'],
  ...['+1664', '+1721', '+1758', '+1767', '+1784', '+1809', '+1829', '+1849', '+1868', '+1869', '+1876'],
  // Europe: premium rate, mass calling, directory enquiries, numbers that follow a person.
  ...['+3090', '+31900', '+31906', '+31909', '+3290', '+3389', '+34803', '+34806', '+34807', '+34905'],
  ...['+3690', '+3691', '+3989', '+4090', '+41900', '+41901', '+41906', '+42090', '+421900'],
  ...['+43900', '+43901', '+43930', '+43931', '+43939', '+4470', '+4487', '+449', '+4590', '+46900'],
  ...['+46939', '+46944', '+47820', '+47829', '+4870', '+49118', '+49137', '+4919', '+49900'],
  ...['+351760', '+351761', '+358600', '+358700', '+35990', '+380900', '+7809'],
  // Elsewhere.
  ...['+61190', '+64900', '+81990'],
  // Small plans that are called for the money.
  ...['+220', '+224', '+232', '+239', '+245', '+246', '+247', '+252', '+257', '+269', '+290', '+500'],
  ...['+53', '+670', '+672', '+674', '+675', '+677', '+678', '+681', '+682', '+683', '+685', '+686'],
  ...['+688', '+690', '+692', '+850', '+960'],
];

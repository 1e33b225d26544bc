"""ZigBee PRO: NWK, APS, ZDO, security and the trust centre."""

"""Known / used firmware: OTA files, their signatures and the catalogue of evidence."""

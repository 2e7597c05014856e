/*
 * What a body may go through: beresp.filters, resp.filters.
 * FILTER(id, name, doc)
 */
FILTER(GUNZIP, "gunzip", "unpacks gzip")
FILTER(ESI, "esi", "reads, or carries out, what ESI says")
FILTER(ESI_GZIP, "esi_gzip", "reads what ESI says, and packs with gzip")
FILTER(GZIP, "gzip", "packs with gzip (gzip_level)")
FILTER(UNBR, "unbr", "unpacks Brotli")
FILTER(BR, "br", "packs with Brotli (br_level)")
FILTER(UNZSTD, "unzstd", "unpacks Zstandard")
FILTER(ZSTD, "zstd", "packs with Zstandard (zstd_level)")
FILTER(TESTGUNZIP, "testgunzip", "lets gzip through, and fails if it could not be unpacked")

/*
 * Whole messages, for the tests that take messages apart. Written in hex by hand, so that they lean on no code of ours.
 */
#ifndef VIREO_TESTS_SAMPLES_H
#define VIREO_TESTS_SAMPLES_H

/* An answer to "www.example.com. A": a CNAME and two addresses, all compressed; no EDNS. */
#define SAMPLE_ANSWER                                   \
    "1234 8180 0001 0003 0000 0000 "                    \
    "03777777 07 6578616d706c65 03636f6d 00 0001 0001 " \
    "c00c 0005 0001 00000e10 0006 03776562 c010 "       \
    "c02d 0001 0001 0000003c 0004 c0000201 "            \
    "c02d 0001 0001 0000003c 0004 c0000202"

/*
 * A referral with a record in each section, its data of all kinds: MX, SOA, SRV, AAAA, and an OPT with two options, of
 * which the first is an NSID of 3 octets and the second is empty.
 */
#define SAMPLE_SECTIONS                                                              \
    "beef 8580 0001 0002 0002 0002 "                                                 \
    "07 6578616d706c65 036f7267 00 00ff 0001 "                                       \
    "c00c 000f 0001 00000e10 0007 000a 026d78 c00c "                                 \
    "045f736970 c00c 0021 0001 00000001 0008 0001 0002 13c4 c02b "                   \
    "c00c 0006 0001 80000000 0026 026e73 c00c 0a686f73746d6173746572 c00c 00000001 " \
    "00000002 00000003 00000004 00000005 "                                           \
    "c00c 0002 0001 00000e10 0002 c055 "                                             \
    "c02b 001c 0001 00000e10 0010 20010db8 00000000 00000000 00000001 "              \
    "00 0029 04d0 01008000 000b 0003 0003 616263 000c 0000"

#endif

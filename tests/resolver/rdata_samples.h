/*
 * Data of every type that has a text of its own, with that text: the examples of each type's RFC where it has some. The
 * wire formats were made by other software than ours from the texts, but for types that it does not know.
 */
#ifndef VIREO_TESTS_RDATA_SAMPLES_H
#define VIREO_TESTS_RDATA_SAMPLES_H

#include <stdint.h>

#define FOO_COM " 03 666f6f 07 6578616d706c65 03 636f6d 00 "

static const struct rdata_sample {
    uint16_t type;
    const char *data, *text;
} rdata_samples[] = {
    /* A: RFC 1035 section 3.4.1 */
    {1, "c0000201", "192.0.2.1"},
    /* A */
    {1, "00000000", "0.0.0.0"},
    {1, "ffffffff", "255.255.255.255"},
    {1, "0a146364", "10.20.99.100"},
    /* NS: RFC 1035 section 3.3.11 */
    {2, "0161036973690365647500", "a.isi.edu."},
    /* MD: RFC 1035 section 3.3.4 */
    {3, "01 61 00", "a."},
    /* MF: RFC 1035 section 3.3.5 */
    {4, "01 61 00", "a."},
    /* CNAME: RFC 1035 section 3.3.1 */
    {5, "03776562076578616d706c6503636f6d00", "web.example.com."},
    /* SOA: RFC 1035 section 5.3 */
    {6,
     "0676656e6572610369736903656475000e616374696f6e2e646f6d61696e730369736903656475000000001400001c20"
     "000002580036ee80ffffffff",
     "venera.isi.edu. action\\.domains.isi.edu. 20 7200 600 3600000 4294967295"},
    /* MB: RFC 1035 section 3.3.3 */
    {7, "01 61 00", "a."},
    /* MG: RFC 1035 section 3.3.6 */
    {8, "01 61 00", "a."},
    /* MR: RFC 1035 section 3.3.8 */
    {9, "01 61 00", "a."},
    /* WKS: RFC 1035 section 3.4.2 */
    {11, "0a02001b068180004000000400000000000000000000000000000000000000000000000001", "10.2.0.27 6 0 7 8 25 53 255"},
    /* PTR: RFC 1035 section 3.3.12 */
    {12, "0235330130013002323607696e2d61646472046172706100", "53.0.0.26.in-addr.arpa."},
    /* HINFO: RFC 1035 section 3.3.2 */
    {13, "084445432d3230363006544f50533230", "\"DEC-2060\" \"TOPS20\""},
    /* MINFO: RFC 1035 section 3.3.7 */
    {14, "01 61 00 01 62 00", "a. b."},
    /* MX: RFC 1035 section 3.3.9 */
    {15, "000a0676656e657261036973690365647500", "10 venera.isi.edu."},
    /* MX: RFC 7505 section 3 */
    {15, "000000", "0 ."},
    /* TXT: RFC 1035 section 3.3.14 */
    {16, "0b763d73706631202d616c6c", "\"v=spf1 -all\""},
    /* TXT: RFC 1035 section 5.1 */
    {16, "00056122625c630700097fff3b242e", "\"\" \"a\\\"b\\\\c\" \"\\000\\009\\127\\255;$.\""},
    /* RP: RFC 1183 section 2.2 */
    {17, "056c6f756965077472616e746f7203756d640365647500046c616d310670656f706c6503756d640365647500",
     "louie.trantor.umd.edu. lam1.people.umd.edu."},
    /* AFSDB: RFC 1183 section 1 */
    {18, "0001076269676269726407746f617374657203636f6d00", "1 bigbird.toaster.com."},
    /* X25: RFC 1183 section 3.1 */
    {19, "0c333131303631373030393536", "\"311061700956\""},
    /* ISDN: RFC 1183 section 3.2 */
    {20, "0f313530383632303238303033323137", "\"150862028003217\""},
    /* ISDN */
    {20, "0f31353038363230323830303332313703303034", "\"150862028003217\" \"004\""},
    /* RT: RFC 1183 section 3.3 */
    {21, "00020572656c6179057072696d6503636f6d00", "2 relay.prime.com."},
    /* NSAP: RFC 1706 section 6 */
    {22, "47000580005a0000000001e133ffffff00016200", "0x47000580005a0000000001e133ffffff00016200"},
    /* NSAP-PTR: RFC 1706 section 6 */
    {23, "03666f6f0362617203636f6d00", "foo.bar.com."},
    /* SIG: RFC 2535 section 4.1 */
    {24, "0001 05 03 00015180 3e7c9db7 3e551eb7 0a52 0161 00 ff",
     "A 5 3 86400 20030322173031 20030220183015 2642 a. /w=="},
    /* KEY: RFC 2535 section 3.1 */
    {25, "0100 03 05 0102", "256 3 5 AQI="},
    /* PX: RFC 2163 section 4 */
    {26, "0032046e657432026974000950524d442d6e6574320941444d442d7034303004432d697400",
     "50 net2.it. PRMD-net2.ADMD-p400.C-it."},
    /* GPOS: RFC 1712 section 3 */
    {27, "082d33322e36383832083131362e383635320431302e30", "\"-32.6882\" \"116.8652\" \"10.0\""},
    /* AAAA: RFC 5952 section 4.2.1 */
    {28, "20010db8000000000000000000000001", "2001:db8::1"},
    /* AAAA: RFC 5952 section 4.2 */
    {28, "00000000000000000000000000000000", "::"},
    /* AAAA */
    {28, "00000000000000000000000000000001", "::1"},
    {28, "00010000000000000000000000000000", "1::"},
    /* AAAA: RFC 5952 section 4.2.3: the longer run */
    {28, "20010000000000010000000000000001", "2001:0:0:1::1"},
    /* AAAA: RFC 5952 section 4.2.3: the first of equals */
    {28, "20010db8000000000001000000000001", "2001:db8::1:0:0:1"},
    /* AAAA: RFC 5952 section 4.2.2: no run of one */
    {28, "20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"},
    /* AAAA */
    {28, "20010db8aaaabbbbccccddddeeeeffff", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"},
    /* AAAA: RFC 5952 section 5 */
    {28, "00000000000000000000ffffc0000201", "::ffff:192.0.2.1"},
    /* LOC: RFC 1876 section 4 */
    {29, "0033161389172dd070be15f000988d20", "42 21 54.000 N 71 06 18.000 W -24.00m 30.00m 10000.00m 10.00m"},
    {29, "001224138917069070bf2dd800988d20", "42 21 43.952 N 71 05 06.344 W -24.00m 1.00m 200.00m 10.00m"},
    {29, "001216138b3556c88008165000989a68", "52 14 05.000 N 0 08 50.000 E 10.00m 1.00m 10000.00m 10.00m"},
    {29, "00121613791b7d2898e6486800989a68", "32 07 19.000 S 116 02 25.000 E 10.00m 1.00m 10000.00m 10.00m"},
    /* SRV: RFC 2782 */
    {33, "0000000100090c6f6c642d736c6f772d626f78076578616d706c6503636f6d00", "0 1 9 old-slow-box.example.com."},
    /* NAPTR: RFC 2915 section 7 */
    {35, "00640032017310687474702b49324c2b4932432b49325200055f68747470045f74637003666f6f03636f6d00",
     "100 50 \"s\" \"http+I2L+I2C+I2R\" \"\" _http._tcp.foo.com."},
    /* NAPTR: RFC 3403 section 6.1 */
    {35, "0064000a0000202f75726e3a6369643a2e2b40285b5e5c2e5d2b5c2e29282e2a29242f5c322f6900",
     "100 10 \"\" \"\" \"/urn:cid:.+@([^\\\\.]+\\\\.)(.*)$/\\\\2/i\" ."},
    /* KX: RFC 2230 section 3.1 */
    {36, "000203727431076578616d706c6503636f6d00", "2 rt1.example.com."},
    /* CERT: RFC 4398 section 2.2 */
    {37, "000130390801020304", "1 12345 8 AQIDBA=="},
    /* DNAME: RFC 6672 section 2.1 */
    {39, "0766726f626f7a7a076578616d706c65036e657400", "frobozz.example.net."},
    /* APL: RFC 3123 section 5 */
    {42, "00011503c0a82000011c83c0a826", "1:192.168.32.0/21 !1:192.168.38.0/28"},
    {42, "00010401e000020801ff", "1:224.0.0.0/4 2:ff00::/8"},
    /* DS: RFC 4034 section 5.4 */
    {43, "ec4505012bb183af5f22588179a53b0a98631fad1a292118", "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"},
    /* SSHFP: RFC 4255 section 3.2 */
    {44, "0201123456789abcdef67890123456789abcdef67890", "2 1 123456789abcdef67890123456789abcdef67890"},
    /* IPSECKEY: RFC 4025 section 3.2 */
    {45, "0a0102c0000226010351537986ed35533b6064478eeeb27b5bd74dae149b6e81ba3a0521af82ab7801",
     "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="},
    {45, "0a0002010351537986ed35533b6064478eeeb27b5bd74dae149b6e81ba3a0521af82ab7801",
     "10 0 2 . AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="},
    {45,
     "0a0302096d7967617465776179076578616d706c6503636f6d00010351537986ed35533b6064478eeeb27b5bd74dae14"
     "9b6e81ba3a0521af82ab7801",
     "10 3 2 mygateway.example.com. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="},
    {45,
     "0a020220010db8000080020000000020000001010351537986ed35533b6064478eeeb27b5bd74dae149b6e81ba3a0521"
     "af82ab7801",
     "10 2 2 2001:db8:0:8002::2000:1 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="},
    /* RRSIG: RFC 4034 section 3.3 */
    {46,
     "00010503000151803e7c9dd73e5510d70a52076578616d706c6503636f6d00a090755ba58d1affa576f4375831b43109"
     "20e481218d18a9f164eb3d81afd3b875d3c75428631e0cf2a28d50875f70c329d7dbfafea807dc1fba1dc34c95d401f2"
     "3f334ce63bfcf3f1b5b44739e5f0eded18d6b33f040a911376d173d757a9f0c1fa1798941bb0b36b2df9062790fa7f01"
     "66f2737eea907378341fb12dc0a77a",
     "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip8WTr"
     "PYGv07h108dUKGMeDPKijVCHX3DDKdfb+v6oB9wfuh3DTJXUAfI/M0zmO/zz8bW0Rznl8O3tGNazPwQKkRN20XPXV6nwwfoX"
     "mJQbsLNrLfkGJ5D6fwFm8nN+6pBzeDQfsS3Ap3o="},
    /* NSEC: RFC 4034 section 4.3 */
    {47,
     "04686f7374076578616d706c6503636f6d000006400100000003041b0000000000000000000000000000000000000000"
     "00000000000020",
     "host.example.com. A MX RRSIG NSEC TYPE1234"},
    /* NSEC */
    {47, "00", "."},
    /* DNSKEY: RFC 4034 section 2.3 */
    {48,
     "010003050103d22a6ca77f35b893206fd35e4c506d8378843709b97e041647e1bff43d8d64c649af1e371973c9e891fc"
     "e3df519a8c840a63ee42a6d2ebddbb97035d215aa4e417b1fa45fa11a9741ea2098c1dfa5fb5feb332fd4bc8152089ae"
     "f36ba644cce2413b3b72be18cbef8da253f4e93d2103866d9234a2e28df529a67d5468dbefe3",
     "256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3Cbl+BBZH4b/0PY1kxkmvHjcZc8nokfzj31GajIQKY+5CptLr3buXA10hWqTk"
     "F7H6RfoRqXQeogmMHfpftf6zMv1LyBUgia7za6ZEzOJBOztyvhjL742iU/TpPSEDhm2SNKLijfUppn1UaNvv4w=="},
    /* DHCID: RFC 4701 section 3.6.1 */
    {49, "000201636fc0b8271c82825bb1ac5c41cf5351aa69b4febd94e8f17cdb95000da48c40",
     "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="},
    /* NSEC3: RFC 5155 appendix A */
    {50, "0101000c04aabbccdd1417f3df17b2b2adaef615257de4d2020b80ac6c7c0006400000000002",
     "1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG"},
    /* NSEC3: RFC 5155 section 3.3: no salt */
    {50, "010000000014065368abeed7ec6e9feba96b8c8bc3e8b791f716", "1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
    /* NSEC3PARAM: RFC 5155 appendix A */
    {51, "0100000c04aabbccdd", "1 0 12 aabbccdd"},
    /* NSEC3PARAM */
    {51, "0100000000", "1 0 0 -"},
    /* TLSA: RFC 6698 section 2.3 */
    {52, "000001d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971",
     "0 0 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971"},
    /* SMIMEA: RFC 8162 section 2 */
    {53, "0300000102ff", "3 0 0 0102ff"},
    /* HIP: RFC 8005 section 6 */
    {55,
     "10020084200100107b1a74df365639cc39f1d57803010001b771ca136e4aeb5ce44333c53b3d2c13c22243851fc708bc"
     "ce29f7e2eb5787b5f56ccad34f8223acc10904ddb56b2ec4a6d6232f3b50ea094f0914b3b941bbe529af582c36bbadef"
     "daf2adaf9b4911906f5b2522603c615272b880ec8fb930cc6ee39c444daa75b1678f005a4b2499d1da5433f805c7a5ad"
     "3237acc5dd5c5e430472767331076578616d706c6503636f6d000472767332076578616d706c6503636f6d00",
     "2 200100107b1a74df365639cc39f1d578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBC"
     "QTdtWsuxKbWIy87UOoJTwkUs7lBu+Upr1gsNrut79ryra+bSRGQb1slImA8YVJyuIDsj7kwzG7jnERNqnWxZ48AWkskmdHaV"
     "DP4BcelrTI3rMXdXF5D rvs1.example.com. rvs2.example.com."},
    /* NINFO */
    {56, "0b7a6f6e6520737461747573026f6b", "\"zone status\" \"ok\""},
    /* RKEY */
    {57, "0000 01 05 0102", "0 1 5 AQI="},
    /* TALINK */
    {58, "01 61 00 00", "a. ."},
    /* CDS: RFC 8078 section 4 */
    {59, "0000000000", "0 0 0 00"},
    /* CDNSKEY: RFC 8078 section 4 */
    {60, "0000030000", "0 3 0 AA=="},
    /* OPENPGPKEY: RFC 7929 section 2.3 */
    {61, "99008d033206", "mQCNAzIG"},
    /* CSYNC: RFC 7477 section 2.2 */
    {62, "000000420003000460000008", "66 3 A NS AAAA"},
    /* ZONEMD: RFC 8976 appendix A.1 */
    {63,
     "7848b91c0101c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f"
     "98b8e730044c",
     "2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc277"
     "77f98b8e730044c"},
    /* SVCB: RFC 9460 appendix D.2, figure 3, and on */
    {64, "0001 00", "1 ."},
    {64, "0010" FOO_COM "0003 0002 0035", "16 foo.example.com. port=53"},
    {64, "0001" FOO_COM "029b 0005 68656c6c6f", "1 foo.example.com. key667=\"hello\""},
    {64, "0001" FOO_COM "029b 0009 68656c6c6fd2716f6f", "1 foo.example.com. key667=\"hello\\210qoo\""},
    {64, "0001" FOO_COM "0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001",
     "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1"},
    {64, "0001" FOO_COM "0006 0010 20010db80122034400000000c0000221",
     "1 foo.example.com. ipv6hint=2001:db8:122:344::c000:221"},
    {64, "0010" FOO_COM "0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201",
     "16 foo.example.com. mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1"},
    {64, "0010" FOO_COM "0001 000c 08 665c6f6f2c626172 02 6832", "16 foo.example.com. alpn=\"f\\\\\\\\oo\\\\,bar,h2\""},
    {64, "0001 00 0000 0004 0003 ffff 0003 0002 ffff ffff 0000", "1 . mandatory=port,key65535 port=65535 key65535"},
    /* RFC 9461 section 5, RFC 9540 section 4 */
    {64, "0001 00 0007 0010 2f646e732d71756572797b3f646e737d 0008 0000", "1 . dohpath=\"/dns-query{?dns}\" ohttp"},
    {64, "0001 00 0009 0004 001d 11ec", "1 . tls-supported-groups=29,4588"},
    /* HTTPS: RFC 9460 appendix D.1 */
    {65, "0000" FOO_COM, "0 foo.example.com."},
    {65,
     "0001 00 0001 0006 02 6832 02 6833 0002 0000 0003 0002 01bb 0004 0008 c0000201 c0000202 0005 0004"
     " 0045fe0d",
     "1 . alpn=\"h2,h3\" no-default-alpn port=443 ipv4hint=192.0.2.1,192.0.2.2 ech=AEX+DQ=="},
    /* DSYNC: RFC 9859 section 2.1 */
    {66, "003b 01 14e9 01 61 00", "CDS 1 5353 a."},
    /* SPF: RFC 7208 section 3.1 */
    {99, "25763d73706631202b6d7820613a636f6c6f2e6578616d706c652e636f6d2f3238202d616c6c",
     "\"v=spf1 +mx a:colo.example.com/28 -all\""},
    /* NID: RFC 6742 section 2.1.3 */
    {104, "000a00144fffff20ee64", "10 0014:4fff:ff20:ee64"},
    /* L32: RFC 6742 section 2.2.3 */
    {105, "000a0a010200", "10 10.1.2.0"},
    /* L64: RFC 6742 section 2.3.3 */
    {106, "000a20010db811401000", "10 2001:0db8:1140:1000"},
    /* LP: RFC 6742 section 2.4.3 */
    {107, "000a0b6c36342d7375626e657431076578616d706c6503636f6d00", "10 l64-subnet1.example.com."},
    /* EUI48: RFC 7043 section 3.3 */
    {108, "00005e00532a", "00-00-5e-00-53-2a"},
    /* EUI64: RFC 7043 section 4.3 */
    {109, "00005eef1000002a", "00-00-5e-ef-10-00-00-2a"},
    /* URI: RFC 7553 section 4.6 */
    {256, "000a00016674703a2f2f667470312e6578616d706c652e636f6d2f7075626c6963",
     "10 1 \"ftp://ftp1.example.com/public\""},
    /* CAA: RFC 8659 section 4.2 */
    {257, "000569737375656361312e6578616d706c652e6e65743b20706f6c6963793d6576",
     "0 issue \"ca1.example.net; policy=ev\""},
    /* CAA: RFC 8659 section 4.1 */
    {257, "8005696f646566", "128 iodef \"\""},
    /* AVC */
    {258, "1f6170702d6e616d653a574f4c4647414e477c6170702d636c6173733a4f414d", "\"app-name:WOLFGANG|app-class:OAM\""},
    /* DOA */
    {259, "00000000 00000001 02 09 746578742f68746d6c 0102", "0 1 2 \"text/html\" AQI="},
    {259, "00000000 00000001 02 00", "0 1 2 \"\" -"},
    /* AMTRELAY: RFC 8777 section 4.3.1 */
    {260, "0a01cb00710f", "10 0 1 203.0.113.15"},
    {260, "0a0220010db8000000000000000000000015", "10 0 2 2001:db8::15"},
    {260, "808309616d7472656c617973076578616d706c6503636f6d00", "128 1 3 amtrelays.example.com."},
    /* AMTRELAY: RFC 8777 section 4.2.3 */
    {260, "0a80", "10 1 0 ."},
    /* RESINFO: RFC 9606 section 5 */
    {261, "08 716e616d656d696e 09 6578746572723d3135", "\"qnamemin\" \"exterr=15\""},
    /* WALLET */
    {262, "03 455448 02 3078", "\"ETH\" \"0x\""},
    /* CLA */
    {263, "02 7631", "\"v1\""},
    /* TA */
    {32768, "ec45 05 01 2bb1", "60485 5 1 2bb1"},
    /* DLV: RFC 4431 section 2 */
    {32769, "ec4505012bb183af5f22588179a53b0a98631fad1a292118", "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"},
};

#undef FOO_COM

#endif

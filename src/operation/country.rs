//! Country codes of two letters (ISO 3166-1 alpha-2): those that there are.
//!
//! A condition that names another code is true for no address, and a list of such codes matches nothing; so a code
//! that does not exist is an error where it is written.

/// Each code with its form of three letters, both capital: the 249 of ISO 3166-1, and Kosovo's, which ISO leaves to
/// its users and which every address database gives.
const CODES: &str = "\
     ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW AXALA AZAZE \
     BABIH BBBRB BDBGD BEBEL BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN BOBOL BQBES BRBRA BSBHS \
     BTBTN BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD CFCAF CGCOG CHCHE CICIV CKCOK CLCHL CMCMR CNCHN \
     COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP CZCZE DEDEU DJDJI DKDNK DMDMA DODOM DZDZA ECECU EEEST \
     EGEGY EHESH ERERI ESESP ETETH FIFIN FJFJI FKFLK FMFSM FOFRO FRFRA GAGAB GBGBR GDGRD GEGEO GFGUF \
     GGGGY GHGHA GIGIB GLGRL GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD \
     HNHND HRHRV HTHTI HUHUN IDIDN IEIRL ILISR IMIMN ININD IOIOT IQIRQ IRIRN ISISL ITITA JEJEY JMJAM \
     JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO LBLBN LCLCA \
     LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA LYLBY MAMAR MCMCO MDMDA MEMNE MFMAF MGMDG MHMHL MKMKD \
     MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ MRMRT MSMSR MTMLT MUMUS MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM \
     NCNCL NENER NFNFK NGNGA NINIC NLNLD NONOR NPNPL NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG \
     PHPHL PKPAK PLPOL PMSPM PNPCN PRPRI PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA \
     SASAU SBSLB SCSYC SDSDN SESWE SGSGP SHSHN SISVN SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD \
     STSTP SVSLV SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL TLTLS TMTKM TNTUN TOTON \
     TRTUR TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN VGVGB VIVIR \
     VNVNM VUVUT WFWLF WSWSM XKXKX YEYEM YTMYT ZAZAF ZMZMB ZWZWE";

/// Codes that people write and that are not the country's, with the one that is: other standards' codes, and codes
/// that ISO has withdrawn.
const MEANT: [(&str, &str); 12] = [
    ("UK", "GB"),
    ("EN", "GB"),
    ("EL", "GR"),
    ("SU", "RU"),
    ("KS", "XK"),
    ("YU", "RS"),
    ("BU", "MM"),
    ("TP", "TL"),
    ("ZR", "CD"),
    ("DD", "DE"),
    ("FX", "FR"),
    ("JA", "JP"),
];

/// Tells whether a country has this code: two capital letters.
#[must_use]
pub fn is_country(code: &str) -> bool {
    codes().any(|(two, _)| two == code)
}

/// Returns the code that was probably meant by a text that is none: `GB` for `UK`, `KZ` for `kz`, `KAZ` and `ZK`.
#[must_use]
pub fn nearest_country(text: &str) -> Option<&'static str> {
    let upper = text.trim().to_ascii_uppercase();
    let swapped: String = upper.chars().rev().collect();
    let find = |wanted: &str| codes().find(|(two, three)| *two == wanted || *three == wanted).map(|(two, _)| two);
    let meant = MEANT.iter().find(|(wrong, _)| *wrong == upper).map(|(_, code)| *code);
    meant.or_else(|| find(&upper)).or_else(|| find(&swapped))
}

fn codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    CODES.split_ascii_whitespace().map(|code| code.split_at(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_iso_3166_and_kosovo() {
        assert_eq!(codes().count(), 250);
        assert!(codes().is_sorted());
        assert!(codes().all(|(two, three)| {
            two.len() == 2
                && three.len() == 3
                && [two, three].concat().bytes().all(|letter| letter.is_ascii_uppercase())
        }));
        for code in ["KZ", "RU", "GB", "CN", "UZ", "KG", "XK"] {
            assert!(is_country(code), "{code}");
        }
        for code in ["UK", "kz", "KAZ", "ZZ", "EU", "SU", "", "K"] {
            assert!(!is_country(code), "{code}");
        }
        assert!(MEANT.iter().all(|(wrong, meant)| !is_country(wrong) && is_country(meant)));
    }

    #[test]
    fn the_nearest_code_is_the_one_that_was_meant() {
        for (text, code) in [
            ("UK", Some("GB")),
            ("uk", Some("GB")),
            ("kz", Some("KZ")),
            ("KAZ", Some("KZ")),
            ("ZK", Some("KZ")),
            ("USA", Some("US")),
            ("SU", Some("RU")),
            ("ZZ", None),
            ("Kazakhstan", None),
            ("", None),
        ] {
            assert_eq!(nearest_country(text), code, "{text}");
        }
    }
}

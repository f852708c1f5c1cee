//! Currencies.

use std::fmt;

/// A currency, by its ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

/// Why a text is not a currency of a new price.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the ISO 4217 code of a currency in circulation, such as USD")]
pub struct CurrencyError;

/// The currencies in circulation, by their number of decimal digits.
///
/// Source: ISO 4217, list one ("current currency & funds code list"), which SIX maintains, as of January 2026, without
/// codes that are no means of payment: funds codes (such as `CHW`), precious metals (`XAU`), units of account (`XDR`), and the codes
/// for tests and for no currency (`XTS`, `XXX`). A code that ISO withdraws is removed; stored amounts in it stay readable.
const IN_CIRCULATION: [(u8, &str); 3] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP \
         CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES \
         KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK \
         NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB \
         TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
];

impl Currency {
    /// The US dollar.
    pub const USD: Self = Self(*b"USD");

    /// Parses the code of a currency in circulation, such as `USD`.
    ///
    /// # Errors
    /// [`CurrencyError`] for any other text.
    pub fn parse(code: &str) -> Result<Self, CurrencyError> {
        let currency = Self::stored(code).ok_or(CurrencyError)?;
        currency.decimals().map(|_| currency).ok_or(CurrencyError)
    }

    /// The currency of a stored amount, which may be out of circulation; `None` if the text is not three capital letters.
    #[must_use]
    pub fn stored(code: &str) -> Option<Self> {
        let code = <[u8; 3]>::try_from(code.as_bytes()).ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    /// The codes of all currencies in circulation.
    pub fn in_circulation() -> impl Iterator<Item = &'static str> {
        IN_CIRCULATION.iter().flat_map(|(_, codes)| codes.split(' '))
    }

    /// The ISO 4217 code, such as `USD`.
    #[must_use]
    pub fn code(&self) -> &str {
        // Three ASCII letters, which are always UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The number of decimal digits of an amount (2 for USD, which has cents); `None` if the currency is out of
    /// circulation.
    #[must_use]
    pub fn decimals(self) -> Option<u8> {
        let has_it = |codes: &str| codes.split(' ').any(|code| code == self.code());
        IN_CIRCULATION.iter().find(|(_, codes)| has_it(codes)).map(|(decimals, _)| *decimals)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_currency_in_circulation_is_parsed() {
        for (code, decimals) in
            [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("VES", 2), ("XAF", 0), ("XCG", 2)]
        {
            let currency = Currency::parse(code).unwrap();
            assert_eq!((currency.code(), currency.decimals()), (code, Some(decimals)));
        }
    }

    #[test]
    fn no_other_code_is_parsed_but_stored_ones_are_readable() {
        let no_currency = "XXX XTS XAU XAG XPT XPD XDR XUA XSU XBA XBB XBC XBD XAD";
        let funds = "BOV CHE CHW CLF COU MXV USN UYI UYW";
        let withdrawn = "ANG BGN CUC DEM HRK SLL ZWL";
        for code in [no_currency, funds, withdrawn].iter().flat_map(|codes| codes.split(' ')) {
            assert_eq!(Currency::parse(code), Err(CurrencyError), "{code}");
            assert_eq!(Currency::stored(code).unwrap().to_string(), code);
        }
        for text in ["", "usd", "US", "USDD", "$", "US1", " USD", "ÄÖÜ", "U\u{0}D"] {
            assert_eq!(Currency::parse(text), Err(CurrencyError), "{text:?}");
            assert_eq!(Currency::stored(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_table_names_each_currency_once() {
        let codes: Vec<_> = Currency::in_circulation().collect();
        assert!(codes.iter().all(|code| Currency::parse(code).is_ok()));
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }
}

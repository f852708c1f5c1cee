//! Authenticates the entries of a cache outside this process, so that a value which another program wrote is not
//! believed.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use time::OffsetDateTime;

/// The key that authenticates entries. It does not appear in `Debug`.
#[derive(Clone)]
pub struct Seal(Hmac<Sha256>);

/// The entry was not sealed with the key for its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAuthentic;

/// The purpose of the key, which keeps it apart from the key of tokens.
const PURPOSE: &[u8] = b"glasshouse cache entries v1";

impl Seal {
    /// Derives the key from a secret that all processes share.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        let derived = hmac(secret.expose_secret().as_bytes()).chain_update(PURPOSE).finalize().into_bytes();
        Self(hmac(&derived))
    }

    /// The entry `VERSION:EXPIRY:MAC:JSON`. The code covers the key of the entry, the version, the expiry (in
    /// milliseconds since the Unix epoch) and the value: an entry is not valid under another key, or after its time.
    #[must_use]
    pub fn close(&self, key: &str, version: u32, json: &str, expiry: OffsetDateTime) -> String {
        let expiry = milliseconds(expiry);
        let mac = self.mac(key, &version.to_string(), &expiry.to_string(), json).finalize().into_bytes();
        let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{version}:{expiry}:{mac}:{json}")
    }

    /// The JSON of an entry; `None` if it has expired. Redis deletes an entry a moment after that, because it was sealed
    /// before Redis got it.
    ///
    /// # Errors
    /// When it was not sealed with this key for this `key`.
    pub fn open<'a>(
        &self,
        key: &str,
        entry: &'a str,
        now: OffsetDateTime,
    ) -> Result<Option<&'a str>, NotAuthentic> {
        let (expiry, json) = self.verified(key, entry).ok_or(NotAuthentic)?;
        Ok((milliseconds(now) < expiry).then_some(json))
    }

    /// The expiry and the JSON of an entry that was sealed with this key for this `key`.
    fn verified<'a>(&self, key: &str, entry: &'a str) -> Option<(i128, &'a str)> {
        let mut parts = entry.splitn(4, ':');
        let (version, expiry, mac, json) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        self.mac(key, version, expiry, json).verify_slice(&from_hex(mac)?).ok()?;
        Some((expiry.parse().ok()?, json))
    }

    fn mac(&self, key: &str, version: &str, expiry: &str, json: &str) -> Hmac<Sha256> {
        // Neither part before the JSON contains a zero byte, so the parts of one entry are no other entry.
        let mut mac = self.0.clone();
        for part in [key, version, expiry] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.chain_update(json)
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104 §3), so this never uses the default.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn milliseconds(time: OffsetDateTime) -> i128 {
    time.unix_timestamp_nanos() / 1_000_000
}

/// The bytes of hexadecimal digits as [`Seal::close`] writes them, which has one form for each code: no capital letters.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks_exact(2);
    let is_whole = pairs.remainder().is_empty();
    let bytes = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    bytes.collect::<Option<Vec<_>>>().filter(|_| is_whole)
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn seal(secret: &str) -> Seal {
        Seal::new(&SecretString::from(secret))
    }

    #[test]
    fn an_entry_is_valid_for_its_key_until_it_expires() {
        let entry = seal("ours").close("user:1", 3, r#"{"role":"owner:admin"}"#, NOW + Duration::SECOND);
        assert_eq!(seal("ours").open("user:1", &entry, NOW), Ok(Some(r#"{"role":"owner:admin"}"#)));
        assert_eq!(seal("ours").open("user:2", &entry, NOW), Err(NotAuthentic), "another key");
        assert_eq!(seal("theirs").open("user:1", &entry, NOW), Err(NotAuthentic), "another secret");
        assert_eq!(seal("ours").open("user:1", &entry, NOW + Duration::SECOND), Ok(None), "expired");
    }

    #[test]
    fn no_byte_of_an_entry_can_be_changed_added_or_removed() {
        let entry = seal("ours").close("user:1", 12, r#"{"role":"member"}"#, NOW + Duration::SECOND);
        for position in 0..entry.len() {
            // `+` and capital letters are digits to many parsers of numbers.
            let capital = entry[position..].chars().next().map_or('A', |c| c.to_ascii_uppercase());
            for other in ['0', '1', ':', 'x', '+', capital] {
                let mut changed = entry.clone();
                changed.replace_range(position..=position, &other.to_string());
                let mut added = entry.clone();
                added.insert(position, other);
                let mut removed = entry.clone();
                removed.remove(position);
                for tampered in [changed, added, removed, entry[..position].to_owned()] {
                    assert!(
                        tampered == entry || seal("ours").open("user:1", &tampered, NOW).is_err(),
                        "{tampered}"
                    );
                }
            }
        }
        for garbage in ["", ":", ":::", "null", r#"{"role":"owner"}"#, "1:9999999999999:00:{}", "é:é:é:é"]
        {
            assert_eq!(seal("ours").open("user:1", garbage, NOW), Err(NotAuthentic), "{garbage}");
        }
    }
}

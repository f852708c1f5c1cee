//! Argon2id hashes in the PHC string format, such as `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as PhcHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use glasshouse_domain::login::{HashingFailed, Verification};
use glasshouse_domain::values::PasswordHash;

use super::failed;
use super::memory::Memory;

const ALGORITHM: Algorithm = Algorithm::Argon2id;
const VERSION: Version = Version::V0x13;

/// Argon2id with this memory in KiB and this number of passes.
pub(super) fn with_cost(memory_kib: u32, passes: u32) -> Result<Argon2<'static>, HashingFailed> {
    Ok(Argon2::new(ALGORITHM, VERSION, Params::new(memory_kib, passes, 1, None).map_err(failed)?))
}

/// Hashes a password with a random salt.
pub(super) fn hash(
    argon2: &Argon2<'_>,
    password: &str,
    memory: &mut Memory,
) -> Result<PasswordHash, HashingFailed> {
    let salt = Salt::generate();
    let phc = PhcHash {
        algorithm: ALGORITHM.ident(),
        version: Some(VERSION.into()),
        params: ParamsString::try_from(argon2.params()).map_err(failed)?,
        salt: Some(salt),
        hash: Some(compute(argon2, password, &salt, memory)?),
    };
    Ok(PasswordHash::new(phc.to_string()))
}

/// Compares a password with a hash. `current` is the cost of a hash that is not outdated.
pub(super) fn verify(
    current: &Argon2<'_>,
    password: &str,
    hash: &PasswordHash,
    memory: &mut Memory,
) -> Result<Verification, HashingFailed> {
    let stored = PhcHash::new(hash.expose()).map_err(failed)?;
    let (Some(salt), Some(output)) = (stored.salt, stored.hash) else {
        return Err(failed("a stored hash lacks its salt or its output"));
    };
    // `Output` compares in constant time.
    if compute(&argon2_of(&stored)?, password, &salt, memory)? != output {
        return Ok(Verification::Wrong);
    }
    Ok(if has_cost_of(&stored, current)? { Verification::Correct } else { Verification::Outdated })
}

/// Does the work of [`verify`] with the cost of `like`, or with the current one if there is none.
pub(super) fn verify_decoy(
    current: &Argon2<'_>,
    password: &str,
    like: Option<&PasswordHash>,
    memory: &mut Memory,
) -> Result<(), HashingFailed> {
    compute(&decoy(current, like), password, &Salt::generate(), memory).map(drop)
}

/// An unreadable hash fails the login of its own user alone.
fn decoy<'key>(current: &Argon2<'key>, like: Option<&PasswordHash>) -> Argon2<'key> {
    let stored = like.and_then(|hash| PhcHash::new(hash.expose()).ok());
    stored.and_then(|stored| argon2_of(&stored).ok()).unwrap_or_else(|| current.clone())
}

/// Argon2 with the algorithm, the version and the cost of a stored hash.
fn argon2_of(stored: &PhcHash) -> Result<Argon2<'static>, HashingFailed> {
    let algorithm = Algorithm::new(stored.algorithm.as_str()).map_err(failed)?;
    let version = stored.version.map_or(Ok(VERSION), Version::try_from).map_err(failed)?;
    Ok(Argon2::new(algorithm, version, Params::try_from(stored).map_err(failed)?))
}

fn has_cost_of(stored: &PhcHash, current: &Argon2<'_>) -> Result<bool, HashingFailed> {
    let (params, current) = (Params::try_from(stored).map_err(failed)?, current.params());
    let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    Ok(stored.algorithm == ALGORITHM.ident()
        && stored.version == Some(VERSION.into())
        && cost(&params) == cost(current))
}

fn compute(
    argon2: &Argon2<'_>,
    password: &str,
    salt: &Salt,
    memory: &mut Memory,
) -> Result<Output, HashingFailed> {
    let mut output = [0; Output::MAX_LENGTH];
    let length = argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let output = output.get_mut(..length).ok_or_else(|| failed("the output of a stored hash is too long"))?;
    let blocks = memory.blocks(argon2.params().block_count());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, blocks).map_err(failed)?;
    Output::new(output).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse battery";

    fn cost(argon2: &Argon2<'_>) -> (u32, u32) {
        (argon2.params().m_cost(), argon2.params().t_cost())
    }

    #[test]
    fn a_hash_of_another_cost_is_outdated() {
        let (current, memory) = (with_cost(64, 2).unwrap(), &mut Memory::default());
        for (memory_kib, passes) in [(32, 2), (64, 1), (128, 2), (64, 3)] {
            let other = with_cost(memory_kib, passes).unwrap();
            let stored = hash(&other, PASSWORD, memory).unwrap();
            assert_eq!(verify(&other, PASSWORD, &stored, memory).unwrap(), Verification::Correct);
            assert_eq!(verify(&current, PASSWORD, &stored, memory).unwrap(), Verification::Outdated);
            assert_eq!(verify(&current, "wrong", &stored, memory).unwrap(), Verification::Wrong);
        }
    }

    #[test]
    fn hashes_of_other_programs_match_and_are_outdated() {
        // From the reference implementation: https://github.com/P-H-C/phc-winner-argon2 (argon2i, version 19 and 16).
        let (current, memory) = (with_cost(64, 2).unwrap(), &mut Memory::default());
        for phc in [
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        ] {
            let stored = PasswordHash::new(phc.to_owned());
            assert_eq!(
                verify(&current, "password", &stored, memory).unwrap(),
                Verification::Outdated,
                "{phc}"
            );
            assert_eq!(verify(&current, "Password", &stored, memory).unwrap(), Verification::Wrong, "{phc}");
        }
    }

    #[test]
    fn the_decoy_has_the_cost_of_the_hash_that_it_stands_for() {
        let (current, memory) = (with_cost(64, 2).unwrap(), &mut Memory::default());
        for (memory_kib, passes) in [(32, 1), (64, 2), (128, 3)] {
            let stored = hash(&with_cost(memory_kib, passes).unwrap(), PASSWORD, memory).unwrap();
            assert_eq!(cost(&decoy(&current, Some(&stored))), (memory_kib, passes));
        }
        assert_eq!(cost(&decoy(&current, None)), (64, 2));
        assert_eq!(cost(&decoy(&current, Some(&PasswordHash::new("$unreadable".to_owned())))), (64, 2));
    }
}

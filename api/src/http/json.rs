//! JSON bodies: what serde accepts or rejects otherwise than the OpenAPI document says.

use std::fmt;
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::TryFutureExt;
use futures_util::future::MapOk;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

/// Extracts the body, which must be a JSON object. Serde alone also accepts an array of a struct's values in
/// order, which the OpenAPI document does not describe and which breaks when a field is added.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = actix_web::Error;
    type Future = MapOk<<web::Json<Object<T>> as FromRequest>::Future, fn(web::Json<Object<T>>) -> Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        web::Json::from_request(request, payload).map_ok(|web::Json(Object(body))| Self(body))
    }
}

/// Deserializes a nested object, for `#[serde(deserialize_with = "…")]`.
///
/// # Errors
/// When the value is not an object, or its fields do not match `T`.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// Deserializes a list of nested objects, as [`object`] does.
///
/// # Errors
/// When the value is not a list, or an item is not an object that matches `T`.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

/// A value that is deserialized from a JSON object only.
#[derive(Debug)]
pub struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}

/// Deserializes an optional field of a partial update, for `#[serde(default, deserialize_with = "…")]`: an absent field
/// stays as it is, and null is no value. Serde alone takes null for absent, which would hide a mistake of the client.
///
/// # Errors
/// When the value is null, or does not match `T`.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A whole number. Serde alone rejects `2.0`, which is an integer for JSON Schema (validation, section 6.1.1), and for
/// clients that have one type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(IntegerVisitor).map(Self)
    }
}

struct IntegerVisitor;

/// The largest integer that is exact when it is written as a float: `serde_json` reads all digits, with the one behind the
/// point, as one number, and a float holds every integer up to 2⁵³.
const MAX_EXACT: f64 = 900_719_925_474_099.0;

impl Visitor<'_> for IntegerVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
            return Ok(number as i64);
        }
        Err(E::invalid_type(Unexpected::Float(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::Integer;

    #[test]
    fn an_integer_is_any_number_without_a_fraction() {
        for (json, expected) in [
            ("2", 2),
            ("2.0", 2),
            ("-2e3", -2000),
            ("-0.0", 0),
            ("900719925474099.0", 900_719_925_474_099),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(serde_json::from_str::<Integer>(json).unwrap(), Integer(expected), "{json}");
        }
        for json in [
            "0.5",
            "900719925474100.0",
            "1e300",
            "-9223372036854775809",
            "9223372036854775808",
            "\"2\"",
            "null",
            "true",
            "[]",
        ] {
            assert!(serde_json::from_str::<Integer>(json).is_err(), "{json}");
        }
    }
}

//! JSON bodies, of which every struct must be a JSON object.

use std::fmt;
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::TryFutureExt;
use futures_util::future::MapOk;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

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

"""Login by an identity of an OpenID Connect provider."""

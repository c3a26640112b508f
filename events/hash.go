package events

import "crypto/sha256"

// ReferenceHash is the SHA-256 of the redacted event without signatures and unsigned. From room version 3 on
// it is the event's ID.
func (e *Event) ReferenceHash() [32]byte {
	var scratch [1024]byte // most redacted events fit, so that the hash costs no allocation
	return sha256.Sum256(e.Version.appendRedacted(scratch[:0], e.Raw, e.Type))
}

// unsignedKey names the members that hashes and signatures do not cover.
func unsignedKey(key string) bool { return key == "signatures" || key == "unsigned" }

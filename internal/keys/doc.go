// Package keys is the service for the keys with which devices encrypt for one
// another: identity keys of devices, one-time and fallback keys, cross-signing
// keys and signatures, and dehydrated devices. The server only keeps and hands
// out public keys; it checks what it can check and trusts nobody with more.
//
// # Keys are JSON
//
// A key is kept as the client sent it, every member and number included, because
// others verify signatures over it (KEYS-8). It is brought into canonical form,
// which changes neither names nor values, so that equal keys are equal bytes and
// no key says two things at once by naming a member twice.
//
// Signatures that everybody may see, by a user on the user's own keys, are put
// into the key itself when they arrive: reading it costs nothing then. Those on
// other users' keys are for their maker's eyes only and lie apart (XS-23).
//
// # One-time keys
//
// A one-time key is handed out once: the claim is committed before the answer is
// sent, and a claimed key is remembered for a while, so that a client which
// repeats an upload whose answer it has missed does not bring it back. When a
// pool is empty its fallback key is handed out, again and again.
//
// # For /sync
//
// Every response to a device, initial or incremental, contains what
// [Service.Counts] returns for the View that the response is made from (DL-17,
// DL-18). A claim wakes the device's user; a long poll of the device should end
// if the latest claim is after the position it waits from, so that the client
// makes new keys in time (KEYS-57). Changes of device lists are the business of
// package devicelist.
package keys

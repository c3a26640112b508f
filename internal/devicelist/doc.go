// Package devicelist tells users whose devices or cross-signing keys have
// changed, so that they fetch them anew before they encrypt: the device_lists of
// /sync and the answer of /keys/changes.
//
// # Work per change
//
// A change writes one row, the position of the user's latest change, however
// many people share rooms with the user, and wakes those of them who wait for
// news ([Lists.Changed]). Whoever syncs asks for the rows after their own
// position and picks those of users they share a room with ([Since]); those who
// don't sync cost nothing. An old position finds the change again (DL-16).
//
// A few changes concern one user alone: their user-signing key and what it has
// signed (DL-7, DL-8). Those have a row for that audience ([Lists.ChangedFor]).
//
// # Rooms
//
// Users also come and go by joining and leaving rooms (DL-9 to DL-14). That
// writes nothing here: [Since] reads it from the member events between the two
// positions, of the rooms that it is told have changed.
//
// # For /sync
//
// An incremental response contains what [Since] returns for the View that the
// response is made from, the token's position, and the rooms in which a
// membership changed after it; too many rooms cost time only, so those whose
// state changed will do. An initial response has no device_lists (DL-1).
package devicelist

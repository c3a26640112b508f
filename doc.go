// Package homeserver is a Matrix homeserver to embed in a Go program.
package homeserver

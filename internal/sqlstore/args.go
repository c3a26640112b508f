package sqlstore

import (
	"iter"
	"strings"

	"github.com/ca4c8834/homeserver/events"
)

// chunkSize is how many values go into one statement that takes a list.
// Shorter lists are filled up with NULL, which equals nothing, so that there is
// one text, and one prepared statement, for all lengths.
const chunkSize = 32

// fewPairs is for how many pairs there is a shorter text: those who ask for state by
// its keys mostly ask for little.
const fewPairs = 8

var (
	inChunk     = `(?` + strings.Repeat(`, ?`, chunkSize-1) + `)`
	valuesChunk = `VALUES (?)` + strings.Repeat(`, (?)`, chunkSize-1)
	pairsChunk  = `VALUES (?, ?)` + strings.Repeat(`, (?, ?)`, chunkSize-1)
	pairsFew    = `VALUES (?, ?)` + strings.Repeat(`, (?, ?)`, fewPairs-1)
)

// chunks yields the arguments for inChunk until all values had their turn.
func chunks[T any](values []T, arg func(T) any) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for i := 0; i < len(values); i += chunkSize {
			args := make([]any, chunkSize)
			for j, v := range values[i:min(i+chunkSize, len(values))] {
				args[j] = arg(v)
			}
			if !yield(args) {
				return
			}
		}
	}
}

// pairChunks does the same for pairs, and yields the text that takes them.
func pairChunks(keys []events.StateKey) iter.Seq2[string, []any] {
	return func(yield func(string, []any) bool) {
		for i := 0; i < len(keys); i += chunkSize {
			text, size := pairsChunk, chunkSize
			if len(keys)-i <= fewPairs {
				text, size = pairsFew, fewPairs
			}
			args := make([]any, 2*size, 2*size+3)
			for j, k := range keys[i:min(i+size, len(keys))] {
				args[2*j], args[2*j+1] = k.Type, k.Key
			}
			if !yield(text, args) {
				return
			}
		}
	}
}

// integer is how the database stores a bool.
func integer(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// bytes makes an empty value of nil, which would be NULL.
func bytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// orNull makes NULL of an empty text.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

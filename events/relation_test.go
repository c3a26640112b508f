package events

import "testing"

func TestRelation(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]Relation{
		`{"m.relates_to":{"event_id":"$a","rel_type":"m.thread"}}`:                                        {RelThread, "$a"},
		`{"m.relates_to":{"event_id":"$a","key":"\"","rel_type":"m.annotation"}}`:                         {RelAnnotation, "$a"},
		`{"m.relates_to":{"event_id":"$a","m.in_reply_to":{"event_id":"$b"},"rel_type":"org.example.x"}}`: {"org.example.x", "$a"},
		// REL-1: other shapes are no relation.
		`{}`:                          {},
		`{"m.relates_to":{}}`:         {},
		`{"m.relates_to":null}`:       {},
		`{"m.relates_to":"m.thread"}`: {},
		`{"m.relates_to":[{"event_id":"$a","rel_type":"m.thread"}]}`:                         {},
		`{"m.relates_to":{"event_id":"$a"}}`:                                                 {},
		`{"m.relates_to":{"rel_type":"m.thread"}}`:                                           {},
		`{"m.relates_to":{"event_id":"","rel_type":"m.thread"}}`:                             {},
		`{"m.relates_to":{"event_id":"$a","rel_type":""}}`:                                   {},
		`{"m.relates_to":{"event_id":1,"rel_type":"m.thread"}}`:                              {},
		`{"m.relates_to":{"event_id":"$a","rel_type":["m.thread"]}}`:                         {},
		`{"x":{"m.relates_to":{"event_id":"$a","rel_type":"m.thread"}}}`:                     {},
		`{"body":"m.relates_to","m":{"relates_to":{"event_id":"$a","rel_type":"m.thread"}}}`: {},
		`{"m.relates_to":{"m.in_reply_to":{"event_id":"$a"}}}`:                               {}, // REL-2
	} {
		e := &Event{Content: []byte(content)}
		if got := e.Relation(); got != want {
			t.Errorf("%s: %v, want %v", content, got, want)
		}
	}
}

// FuzzRelation: whatever the content, a relation has both parts or none.
func FuzzRelation(f *testing.F) {
	f.Add([]byte(`{"m.relates_to":{"event_id":"$a","rel_type":"m.thread"}}`))
	f.Add([]byte(`{"m.relates_to":{"rel_type":`))
	f.Fuzz(func(t *testing.T, content []byte) {
		e := &Event{Content: content}
		if r := e.Relation(); (r.Type == "") != (r.Event == "") {
			t.Errorf("%s: %v", content, r)
		}
	})
}

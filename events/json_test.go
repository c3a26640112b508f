package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestCanonicalVectors runs the samples of the specification's appendix, as EVT-29 asks. The one that rewrites -0
// and 1e10 is refused instead (AMB-10).
func TestCanonicalVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/canonical.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Canonical string
		Input           json.RawMessage
		Refused         bool
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 10 {
		t.Fatalf("%d vectors; the appendix has 10", len(vectors))
	}
	for _, v := range vectors {
		got, err := Canonical(v.Input)
		switch {
		case v.Refused:
			wantJSONError(t, v.Name, err, BadJSON)
		case err != nil:
			t.Errorf("%s: %v", v.Name, err)
		case string(got) != v.Canonical:
			t.Errorf("%s: got %s; want %s", v.Name, got, v.Canonical)
		}
	}
}

func wantJSONError(t *testing.T, name string, err error, kind JSONErrorKind) {
	t.Helper()
	var e *JSONError
	if !errors.As(err, &e) {
		t.Errorf("%s: got %v; want a JSONError", name, err)
	} else if e.Kind != kind {
		t.Errorf("%s: got kind %d (%v); want %d", name, e.Kind, e, kind)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"EVT-24 no spare whitespace", " { \"a\" : [ 1 , 2 ] ,\n\t\"b\":\r{ } } ", `{"a":[1,2],"b":{}}`},
		{"EVT-24 keys sorted at all depths", `{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}`, `{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}`},
		{"EVT-24 keys sorted by code point, not by UTF-16 unit", `{"𐀀":1,"￿":2}`, `{"￿":2,"𐀀":1}`},
		{"EVT-24 keys sorted by what their escapes stand for", `{"b":1,"\u0061":2,"\n":3,"\"":4,"!":5}`, `{"\n":3,"!":5,"\"":4,"a":2,"b":1}`},
		{"EVT-24 a key before its extension", `{"ab":1,"a":2}`, `{"a":2,"ab":1}`},
		{"EVT-25 only the necessary escapes", `"\u0022\u005c\/\u0008\u0009\u000a\u000c\u000d\u0000\u001F\u0041\u00e9\ud83d\ude00"`, `"\"\\/\b\t\n\f\r\u0000\u001fAé😀"`},
		{"EVT-25 the rest is literal", `"\u002f\u003c\u003e\u0026\u007f\u2028"`, "\"/<>&\x7f\u2028\""},
		{"EVT-26 bounds", `[9007199254740991,-9007199254740991,0]`, `[9007199254740991,-9007199254740991,0]`},
		{"literals", `[true,false,null]`, `[true,false,null]`},
		{"100 levels", strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("[", 100) + strings.Repeat("]", 100)},
	}
	for _, tt := range tests {
		for name, f := range map[string]func([]byte) ([]byte, error){"strict": Canonical, "loose": CanonicalLoose} {
			got, err := f([]byte(tt.in))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s (%s): got %s, %v; want %s", tt.name, name, got, err, tt.want)
			}
		}
		in := []byte(tt.want)
		if got, _ := Canonical(in); len(got) > 0 && &got[0] != &in[0] {
			t.Errorf("%s: canonical input is copied", tt.name)
		}
	}
}

// TestCanonicalRefuses has what the strict form cannot hold, and what becomes of it in room versions 1-5.
func TestCanonicalRefuses(t *testing.T) {
	t.Parallel()
	const refused = ""
	tests := []struct{ name, in, loose string }{
		{"EVT-26 2^53", `{"a":9007199254740992}`, `{"a":9007199254740992}`},
		{"EVT-26 -2^53", `[-9007199254740992]`, `[-9007199254740992]`},
		{"EVT-26 twenty digits", `10000000000000000000`, `10000000000000000000`},
		{"EVT-26 fraction", `{"a": 1.0}`, `{"a":1.0}`},
		{"EVT-26 exponent", `[1E+2]`, `[1E+2]`},
		{"EVT-26 minus zero", `-0`, `-0`},
		{"duplicate keys", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"duplicate keys by escape", `{"a":1,"\u0061":2}`, `{"a":2}`},
		{"lone high surrogate", `"\ud800"`, refused},
		{"high surrogate and a letter", `"\ud800\u0041"`, refused},
		{"lone low surrogate in a key", `{"\udc00":1}`, refused},
		{"101 levels", strings.Repeat("[", 101) + strings.Repeat("]", 101), refused},
		{"101 levels of objects", strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101), refused},
	}
	for _, tt := range tests {
		_, err := Canonical([]byte(tt.in))
		wantJSONError(t, tt.name, err, BadJSON)
		got, err := CanonicalLoose([]byte(tt.in))
		if tt.loose == refused {
			wantJSONError(t, tt.name+" (loose)", err, BadJSON)
		} else if err != nil || string(got) != tt.loose {
			t.Errorf("EVT-27 %s (loose): got %s, %v; want %s", tt.name, got, err, tt.loose)
		}
	}
	for _, v := range versions { // EVT-27, RVER table: strict from version 6 on
		strict := v.ID != "1" && v.ID != "2" && v.ID != "3" && v.ID != "4" && v.ID != "5"
		_, err := v.Canonical([]byte(`{"a":1.5}`))
		if (err != nil) != strict {
			t.Errorf("EVT-27 version %s: float gives %v", v.ID, err)
		}
	}
}

// TestNotJSON: EVT-28, no text that is not JSON passes any of the entrances.
func TestNotJSON(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", " ", "NaN", "Infinity", "-Infinity", `{"a":NaN}`, "[Infinity]", "\xff", "\"\xc3\"", "\"\xed\xa0\x80\"",
		"{\"a\":\"\xf8\"}", "{", "}", "[", `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[1 2]`, `{"a":1 "b":2}`, `{a:1}`, `{1:2}`, `"`,
		`"\`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\x00\"", "01", "-", "+1", "1.", ".5", "1e", "1e+", "--1", "tru", "nul", "True",
		"'a'", "1 2", "{}{}", "[]x", "// c\n1", "\ufeff{}",
	} {
		wantJSONError(t, in, Valid([]byte(in)), NotJSON)
		_, err := Canonical([]byte(in))
		wantJSONError(t, in, err, NotJSON)
		_, err = CanonicalLoose([]byte(in))
		wantJSONError(t, in, err, NotJSON)
	}
	for _, in := range []string{`{}`, ` [1.5e-3, -0, {"b":1,"a":2,"a":3}] `, `"\ud83d\ude00\/"`, `12345678901234567890`} {
		if err := Valid([]byte(in)); err != nil {
			t.Errorf("Valid(%s) = %v", in, err)
		}
	}
	var e *JSONError
	if err := Valid([]byte(`{"a":x}`)); !errors.As(err, &e) || e.Offset != 5 {
		t.Errorf("got %v; want the fault at byte 5", err)
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                       `""`,
		"plain":                  `"plain"`,
		"\"\\\b\t\n\f\r\x00\x1f": `"\"\\\b\t\n\f\r\u0000\u001f"`, // EVT-25
		"/<>&\x7f\u2028é😀":       "\"/<>&\x7f\u2028é😀\"",         // EVT-25
		"a\xffb":                 "\"a\uFFFDb\"",
	} {
		got := AppendString([]byte("x"), in)
		if string(got) != "x"+want {
			t.Errorf("AppendString(%q) = %s; want %s", in, got[1:], want)
		}
		if again, err := Canonical(got[1:]); err != nil || !bytes.Equal(again, got[1:]) {
			t.Errorf("AppendString(%q) is not canonical: %v", in, err)
		}
	}
}

// FuzzCanonical: the result is stable, means the same, and validity agrees with encoding/json but for the documented
// differences (UTF-8, depth, surrogates).
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		`{"b":{"d":1,"c":[true,null]},"a":"\u0041\n\ud83d\ude00"}`, `[1.5,-0,1e10,9007199254740992]`, `{"a":1,"a":2}`,
		`{"\"":1,"\u0000":2}`, ` {} `, `"\ud800"`, "\"\xff\"",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		valid := Valid(in) == nil
		if std := json.Valid(in); valid && !std {
			t.Fatalf("Valid accepts %q, encoding/json does not", in)
		} else if !valid && std {
			var e *JSONError
			if err := Valid(in); !errors.As(err, &e) || e.Kind == NotJSON && e.Reason != "invalid UTF-8" {
				t.Fatalf("Valid refuses %q: %v", in, err)
			}
		}
		loose, err := CanonicalLoose(in)
		if (err == nil) != valid {
			t.Fatalf("CanonicalLoose(%q) = %v, Valid %v", in, err, valid)
		}
		if err == nil {
			checkCanonical(t, in, loose, CanonicalLoose)
		}
		if strict, err := Canonical(in); err == nil {
			if !bytes.Equal(strict, loose) {
				t.Fatalf("strict %q, loose %q", strict, loose)
			}
			checkCanonical(t, in, strict, Canonical)
		}
		if !bytes.Equal(before, in) {
			t.Fatal("input changed")
		}
	})
}

func checkCanonical(t *testing.T, in, out []byte, f func([]byte) ([]byte, error)) {
	t.Helper()
	if again, err := f(out); err != nil || !bytes.Equal(again, out) {
		t.Fatalf("not stable: %q becomes %q becomes %q, %v", in, out, again, err)
	}
	if a, b := standardForm(in), standardForm(out); a != b {
		t.Fatalf("meaning changed from %s to %s", a, b)
	}
}

// standardForm is what encoding/json makes of a text, with numbers as written.
func standardForm(raw []byte) string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err.Error()
	}
	out, _ := json.Marshal(v)
	return string(out)
}

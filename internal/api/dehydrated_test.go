package api

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const dehydratedPath = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"

// dehydratedBody returns the upload of a dehydrated device of alice.
func dehydratedBody(t testing.TB, device, more string) string {
	t.Helper()
	return fmt.Sprintf(`{"device_id":%q,"device_data":{"algorithm":"org.matrix.msc3814.v2","n":1.50},"initial_device_display_name":"Dehydrated",
		"device_keys":%s,"one_time_keys":{"x:1":%[1]q},"fallback_keys":{"x:F":"f"}%[3]s}`, device, deviceKeys(t, alice, device, `"dehydrated":true`), more)
}

// DEHY-7, DEHY-1: what was there before MSC3814 is not offered, and clients are told so in the way that makes them do without.
func TestNoEarlierDehydration(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	const path = "/_matrix/client/unstable/org.matrix.msc2697.v2/dehydrated_device"
	want(t, do(s, "GET", path, token, ""), 404, mxerr.MUnrecognized)
	want(t, do(s, "PUT", path, token, `{"device_data":{"algorithm":"org.matrix.msc2697.v1.olm.libolm_pickle"}}`), 404, mxerr.MUnrecognized)
	want(t, do(s, "POST", path+"/claim", token, `{"device_id":"X"}`), 404, mxerr.MUnrecognized)
}

// DEHY-1 to DEHY-4, DEHY-6: a device without a session, like any other to those who write to it.
func TestDehydratedDevice(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	want(t, do(s, "GET", dehydratedPath, token, ""), 404, mxerr.MNotFound)
	want(t, do(s, "DELETE", dehydratedPath, token, ""), 404, mxerr.MNotFound)
	changed := func(want int) {
		t.Helper()
		if len(s.lists) != want {
			t.Errorf("DEHY-6: device lists have changed %d times, want %d", len(s.lists), want)
		}
		s.lists = nil
	}
	s.lists = nil
	wantJSON(t, do(s, "PUT", dehydratedPath, token, dehydratedBody(t, "DRY", "")), 200, `{"device_id":"DRY"}`) // DEHY-2
	changed(1)
	w := do(s, "GET", dehydratedPath, token, "") // DEHY-4
	wantJSON(t, w, 200, `{"device_id":"DRY","device_data":{"algorithm":"org.matrix.msc3814.v2","n":1.50}}`)
	if !strings.Contains(w.Body.String(), "1.50") {
		t.Errorf("device data %s", w.Body)
	}
	want(t, do(s, "GET", dehydratedPath, bobs, ""), 404, mxerr.MNotFound)
	if got := s.deviceIDs(t, token); got != `["DRY","PHONE"]` {
		t.Errorf("devices %s", got)
	}
	device := in(s.queried(t, bobs), "device_keys", string(alice), "DRY") // DEHY-6
	if device.Get("dehydrated").Raw != "true" || device.Get("unsigned.device_display_name").Str != "Dehydrated" {
		t.Errorf("device keys %s", device.Raw)
	}
	for _, key := range []string{`{"x:1":"DRY"}`, `{"x:F":"f"}`} {
		if got := s.claim(t, bobs, "DRY", "x"); got != key {
			t.Errorf("claimed %s, want %s", got, key)
		}
	}
	want(t, do(s, "PUT", sendPath+"m.test/1", bobs, `{"messages":{"@alice:example.org":{"*":{"n":1}}}}`), 200, "")
	s.waits(t, alice, "DRY", `{"n":1}`)

	for _, next := range []string{"DRY", "DRIER"} { // DEHY-3: the former one goes with what it had
		wantJSON(t, do(s, "PUT", dehydratedPath, token, dehydratedBody(t, next, "")), 200, `{"device_id":"`+next+`"}`)
		changed(1)
		s.waits(t, alice, next)
		if got := s.claim(t, bobs, next, "x"); got != `{"x:1":"`+next+`"}` {
			t.Errorf("claimed %s", got)
		}
	}
	if got := s.deviceIDs(t, token); got != `["DRIER","PHONE"]` {
		t.Errorf("devices %s", got)
	}
	wantJSON(t, do(s, "DELETE", dehydratedPath, token, ""), 200, `{"device_id":"DRIER"}`)
	changed(1)
	want(t, do(s, "GET", dehydratedPath, token, ""), 404, mxerr.MNotFound)
	if got := s.deviceIDs(t, token); got != `["PHONE"]` || in(s.queried(t, bobs), "device_keys", string(alice)).Raw != `{}` {
		t.Errorf("devices %s", got)
	}
}

// DEHY-2, DEV-25: what is refused changes nothing.
func TestDehydratedDeviceRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	p := newPerson(alice, "")
	want(t, do(s, "POST", crossSigningPath, token, p.all(t)), 200, "")
	want(t, do(s, "PUT", dehydratedPath, token, dehydratedBody(t, "DRY", "")), 200, "")
	before := s.store.Position()
	good := dehydratedBody(t, "NEW", "")
	drop := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("no %s in %s", from, good)
		}
		return strings.Replace(good, from, to, 1)
	}
	for body, code := range map[string]mxerr.Code{
		drop(`"device_keys"`, `"other"`):                              mxerr.MMissingParam,
		drop(`"device_id":"NEW",`, ``):                                mxerr.MMissingParam,
		drop(`"device_data"`, `"other"`):                              mxerr.MMissingParam,
		drop(`"device_id":"NEW",`, `"device_id":"",`):                 mxerr.MInvalidParam,
		drop(`"device_id":"NEW",`, `"device_id":"OTHER",`):            mxerr.MBadJSON, // not that of the keys
		drop(`"algorithm":"org.matrix.msc3814.v2",`, ``):              mxerr.MBadJSON,
		drop(`{"algorithm":"org.matrix.msc3814.v2","n":1.50}`, `"x"`): mxerr.MBadJSON,
		drop(`"x:1"`, `"x"`):                                          mxerr.MBadJSON,
		dehydratedBody(t, "PHONE", ""):                                mxerr.MInvalidParam, // a device with a session
	} {
		want(t, do(s, "PUT", dehydratedPath, token, body), 400, code)
	}
	want(t, do(s, "PUT", dehydratedPath, token, dehydratedBody(t, p.master.public, "")), 403, mxerr.MForbidden)
	if w := do(s, "GET", dehydratedPath, token, ""); field(w, "device_id") != "DRY" || s.store.Position() != before {
		t.Errorf("something has changed: %s", w.Body)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		want(t, do(s, method, dehydratedPath, "", `{}`), 401, mxerr.MMissingToken)
	}
	want(t, do(s, "GET", "/_matrix/client/v3/dehydrated_device", token, ""), 404, mxerr.MUnrecognized) // DEHY-1: elsewhere
}

// DEHY-5: whoever takes the device over reads its messages page by page, and nothing is deleted.
func TestDehydratedEvents(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	want(t, do(s, "POST", dehydratedPath+"/DRY/events", token, `{}`), 404, mxerr.MNotFound)
	want(t, do(s, "PUT", dehydratedPath, token, dehydratedBody(t, "DRY", "")), 200, "")
	const n = 230
	for i := range n {
		want(t, do(s, "PUT", fmt.Sprintf("%sm.test/%d", sendPath, i), bobs, fmt.Sprintf(`{"messages":{"@alice:example.org":{"DRY":{"n":%d}}}}`, i)), 200, "")
	}
	for range 2 {
		got, from := 0, ""
		for page := 0; ; page++ {
			body := `{}`
			if from != "" {
				body = `{"next_batch":` + strconv.Quote(from) + `}`
			}
			w := do(s, "POST", dehydratedPath+"/DRY/events", token, body)
			wantKeys(t, w, 200, "events", "next_batch")
			events := gjson.GetBytes(w.Body.Bytes(), "events").Array()
			if len(events) == 0 || page > 10 {
				break
			}
			for _, e := range events {
				if e.Raw != fmt.Sprintf(`{"content":{"n":%d},"sender":"@bob:example.org","type":"m.test"}`, got) {
					t.Errorf("event %d is %s", got, e.Raw)
				}
				got++
			}
			from = field(w, "next_batch")
		}
		if got != n {
			t.Errorf("%d events, want %d", got, n)
		}
	}
	want(t, do(s, "POST", dehydratedPath+"/PHONE/events", token, `{}`), 403, mxerr.MForbidden)
	for _, from := range []string{"x", "-1", "99999999999999999999"} {
		want(t, do(s, "POST", dehydratedPath+"/DRY/events", token, `{"next_batch":"`+from+`"}`), 400, mxerr.MInvalidParam)
	}
	want(t, do(s, "POST", dehydratedPath+"/DRY/events", token, `{"next_batch":1}`), 400, mxerr.MBadJSON)
	want(t, do(s, "POST", dehydratedPath+"/DRY/events", bobs, `{}`), 404, mxerr.MNotFound)
	err := s.store.View(t.Context(), func(v store.View) error {
		_, err := v.Device(alice, "DRY")
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

package push_test

import (
	"fmt"
	"log"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/push"
)

// A user has a word of her own that she wants to hear of.
func Example() {
	rules, err := push.NewDefaults(push.Options{}).Ruleset("@alice:example.org", nil)
	if err != nil {
		log.Fatal(err)
	}
	cake, err := push.ParseRule(push.KindContent, "cake",
		[]byte(`{"pattern":"cake*","actions":["notify",{"set_tweak":"sound","value":"default"}]}`))
	if err != nil {
		log.Fatal(err)
	}
	if rules, err = rules.Put(cake, push.Place{}); err != nil {
		log.Fatal(err)
	}
	event := push.NewEvent(&events.Event{
		Type: "m.room.message", Sender: "@bob:example.org", Content: []byte(`{"body":"Cakes are here!","msgtype":"m.text"}`),
	}, push.Room{Joined: 10})
	out := rules.Evaluate(event, nil)
	fmt.Println(out.Notify, out.Sound, out.RuleID)
	// Output: true default cake
}

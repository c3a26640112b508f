package appservice

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// file is a registration as it is written in YAML. Pointers tell what has to be there
// from what may be left out.
type file struct {
	ID              string    `yaml:"id"`
	URL             yaml.Node `yaml:"url"` // has to be there, though it may be null
	Token           string    `yaml:"as_token"`
	ServerToken     string    `yaml:"hs_token"`
	SenderLocalpart string    `yaml:"sender_localpart"`
	Namespaces      *struct {
		Users   []fileNamespace `yaml:"users"`
		Aliases []fileNamespace `yaml:"aliases"`
		Rooms   []fileNamespace `yaml:"rooms"`
	} `yaml:"namespaces"`
	RateLimited *bool    `yaml:"rate_limited"`
	Protocols   []string `yaml:"protocols"`
	Ephemeral   bool     `yaml:"receive_ephemeral"`
}

type fileNamespace struct {
	Regex     *string `yaml:"regex"`
	Exclusive *bool   `yaml:"exclusive"`
}

// maxFile bounds a registration file in bytes.
const maxFile = 1 << 20

// Parse reads a registration file. Keys that it does not know are allowed (ASC-1);
// what the values are worth is for [New] to say.
func Parse(content []byte) (Registration, error) {
	if len(content) > maxFile {
		return Registration{}, fmt.Errorf("read registration: it has more than %d bytes", maxFile)
	}
	var f file
	if err := yaml.Unmarshal(content, &f); err != nil {
		return Registration{}, fmt.Errorf("read registration: %w", err)
	}
	r := Registration{
		ID: f.ID, Token: f.Token, ServerToken: f.ServerToken, Sender: f.SenderLocalpart,
		Unlimited: f.RateLimited != nil && !*f.RateLimited,
		Protocols: f.Protocols, Ephemeral: f.Ephemeral,
	}
	err := f.URL.Decode(&r.URL)
	if f.URL.IsZero() {
		err = errors.New("url is missing; null means that the service is never called")
	}
	if f.Namespaces == nil {
		err = errors.Join(err, errors.New("namespaces is missing"))
	} else {
		var users, aliases, rooms error
		r.Users, users = convert("users", f.Namespaces.Users)
		r.Aliases, aliases = convert("aliases", f.Namespaces.Aliases)
		r.Rooms, rooms = convert("rooms", f.Namespaces.Rooms)
		err = errors.Join(err, users, aliases, rooms)
	}
	if err != nil {
		return Registration{}, fmt.Errorf("read registration %q: %w", f.ID, err)
	}
	return r, nil
}

func convert(name string, list []fileNamespace) (out []Namespace, err error) {
	for i, n := range list {
		if n.Regex == nil || n.Exclusive == nil {
			return nil, fmt.Errorf("namespaces.%s[%d] needs both regex and exclusive", name, i)
		}
		out = append(out, Namespace{*n.Regex, *n.Exclusive})
	}
	return out, nil
}

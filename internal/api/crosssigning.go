package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/internal/keys"
)

// crossSigning serves the keys with which users vouch for their devices and for one another.
func (a *API) crossSigning() []route {
	return []route{
		post("/keys/device_signing/upload", byUser, a.postCrossSigning).body(64 << 10).
			unstable("/keys/device_signing/upload"),
		post("/keys/signatures/upload", byUser, a.postSignatures).unstable("/keys/signatures/upload"),
	}
}

type crossSigningIn struct {
	Master      json.RawMessage `json:"master_key"`
	SelfSigning json.RawMessage `json:"self_signing_key"`
	UserSigning json.RawMessage `json:"user_signing_key"`
	Auth        json.RawMessage `json:"auth"`
}

func (a *API) postCrossSigning(ctx context.Context, c *caller, in crossSigningIn) (empty, error) {
	return empty{}, a.Keys.UploadCrossSigning(ctx, c.User, keys.CrossSigning(in), c.Service != "") // XS-5
}

type signaturesIn struct {
	Signed json.RawMessage `body:"" required:"true"`
}

func (a *API) postSignatures(ctx context.Context, c *caller, in signaturesIn) (rawJSON, error) {
	answer, err := a.Keys.UploadSignatures(ctx, c.User, in.Signed)
	return rawJSON(answer), err
}

package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Bindings has identity servers tell others whose an address is. Only those are
// asked that the host trusts: users name them, and their tokens and addresses go
// there. Its methods are safe for concurrent use.
type Bindings struct {
	Client  *http.Client
	Trusted []string       // host names
	Signer  *events.Signer // of the homeserver
}

// Bind has a server tell that an address, which was validated there, is a user's,
// and returns the address (3PID-4). M_SERVER_NOT_TRUSTED, and whatever the server
// answers.
func (b Bindings) Bind(ctx context.Context, server, token string, user events.UserID, sid, secret string) (medium, address string, err error) {
	answer, err := b.post(ctx, server, "/3pid/bind", "Bearer "+token, map[string]any{
		"client_secret": secret, "sid": sid, "mxid": user,
	})
	if err != nil {
		return "", "", err
	}
	bound := gjson.ParseBytes(answer)
	medium, address = bound.Get("medium").Str, bound.Get("address").Str
	if medium == "" || address == "" {
		return "", "", fmt.Errorf("bind at %s: it does not say what it has bound", server)
	}
	return medium, address, nil
}

// Unbind ends what Bind has begun, in the name of the homeserver (3PID-5).
// M_SERVER_NOT_TRUSTED, and whatever the server answers.
func (b Bindings) Unbind(ctx context.Context, user events.UserID, medium, address, server string) error {
	body := map[string]any{"mxid": user, "threepid": map[string]string{"medium": medium, "address": address}}
	authorization, err := b.sign(server, "/3pid/unbind", body)
	if err != nil {
		return fmt.Errorf("unbind at %s: %w", server, err)
	}
	_, err = b.post(ctx, server, "/3pid/unbind", authorization, body)
	return err
}

const base = "/_matrix/identity/v2"

// sign authenticates a request as the homeserver's, as servers do among each
// other.
func (b Bindings) sign(server, path string, body map[string]any) (string, error) {
	request, err := json.Marshal(map[string]any{
		"method": http.MethodPost, "uri": base + path, "origin": b.Signer.Server, "destination": server, "content": body,
	})
	if err != nil {
		return "", err
	}
	signed, err := events.SignJSON(request, string(b.Signer.Server), b.Signer.KeyID, b.Signer.Key)
	if err != nil {
		return "", err
	}
	var signature struct {
		Signatures map[events.ServerName]map[string]string `json:"signatures"`
	}
	if err := json.Unmarshal(signed, &signature); err != nil {
		return "", err
	}
	return fmt.Sprintf(`X-Matrix origin="%s",destination="%s",key="%s",sig="%s"`,
		b.Signer.Server, server, b.Signer.KeyID, signature.Signatures[b.Signer.Server][b.Signer.KeyID]), nil
}

func (b Bindings) post(ctx context.Context, server, path, authorization string, body map[string]any) ([]byte, error) {
	if !slices.Contains(b.Trusted, server) {
		return nil, mxerr.ServerNotTrusted("this identity server is not used here")
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+server+base+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("ask identity server: %w", err)
	}
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask identity server: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("ask identity server: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return answer, nil
	}
	if code := gjson.GetBytes(answer, "errcode").Str; code != "" && gjson.ValidBytes(answer) && resp.StatusCode >= 400 {
		return nil, mxerr.New(resp.StatusCode, mxerr.Code(code), "%s: %s", server, gjson.GetBytes(answer, "error").Str)
	}
	return nil, errors.New("ask identity server: it answers " + resp.Status)
}

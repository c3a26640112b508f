package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxAnswer bounds in bytes what is read of an answer.
const maxAnswer = 4 << 10

// Keys asks whether the keys of third-party invites are still valid. Its methods are
// safe for concurrent use.
type Keys struct {
	Client *http.Client
}

// Valid asks the validity URL that came with a public key (MEMB-24). Whatever is not
// a clear answer is an error.
func (k Keys) Valid(ctx context.Context, address string, key []byte) (bool, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return false, fmt.Errorf("ask for key: %q is no web address", address)
	}
	query := u.Query()
	query.Set("public_key", base64.RawStdEncoding.EncodeToString(key))
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false, fmt.Errorf("ask for key: %w", err)
	}
	resp, err := k.Client.Do(req)
	if err != nil {
		return false, fmt.Errorf("ask for key: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("ask for key: status %d", resp.StatusCode)
	}
	var answer struct {
		Valid bool `json:"valid"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return false, fmt.Errorf("ask for key: %w", err)
	}
	return answer.Valid, nil
}

package api

import (
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// threePIDInvite is an invite to whoever has an e-mail address or a phone number.
type threePIDInvite struct {
	IDServer      *string `json:"id_server"`
	IDAccessToken *string `json:"id_access_token"`
	Medium        *string `json:"medium"`
	Address       *string `json:"address"`
}

// refuse refuses it: whose address it is would have to be asked of an identity
// server, and this server trusts none (MEMB-22, CREATE-31).
func (in threePIDInvite) refuse() error {
	for _, member := range []struct {
		name  string
		value *string
	}{
		{"id_server", in.IDServer}, {"id_access_token", in.IDAccessToken}, {"medium", in.Medium}, {"address", in.Address},
	} {
		if member.value == nil {
			return mxerr.MissingParam(member.name)
		}
	}
	return mxerr.ServerNotTrusted("this server does not talk to identity servers")
}

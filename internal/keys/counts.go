package keys

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Counts returns what a device has left, as of the View, so that it knows when to
// make new keys: how many one-time keys of each algorithm, and the algorithms
// whose fallback key was not claimed, in order and not nil. claimed is the
// position of the latest claim, 0 before the first.
func (s *Service) Counts(v store.View, user events.UserID, device string) (oneTime map[string]int64, unused []string, claimed store.Pos, err error) {
	oneTime, unused = map[string]int64{alwaysCounted: 0}, []string{}
	pools, claimed, err := v.KeyPools(user, device)
	for _, p := range pools {
		if p.OneTime > 0 {
			oneTime[p.Algorithm] = p.OneTime
		}
		if p.Fallback.ID != "" && !p.FallbackUsed {
			unused = append(unused, p.Algorithm)
		}
	}
	return oneTime, unused, claimed, err
}

package store

// Validation is an attempt to show that an address is somebody's.
type Validation struct {
	ID              string
	Purpose         string // as the account service names it
	Medium, Address string
	Secret          TokenHash // of what the client chose
	Token           TokenHash // of what the message to the address said
	Attempt         int64     // the last send_attempt for which a message was sent
	NextLink        string    // where the browser goes afterwards
	Tries           int64     // how many wrong tokens there were
	ValidatedTS     int64     // milliseconds; 0: not yet
	ExpiresTS       int64     // milliseconds
}

// Validations reads validations. Expired ones are returned like any other.
type Validations interface {
	// Validation returns a validation by ID. ErrNotFound.
	Validation(id string) (Validation, error)

	// ValidationOf returns the validation that a client began with its secret
	// for an address and a purpose. ErrNotFound.
	ValidationOf(secret TokenHash, medium, address, purpose string) (Validation, error)

	// ValidationByToken returns the validation whose message said this token.
	// ErrNotFound.
	ValidationByToken(token TokenHash) (Validation, error)
}

// ValidationWriter changes validations.
type ValidationWriter interface {
	// PutValidation adds a validation or replaces all of it, and removes those
	// that expired before now, in milliseconds.
	PutValidation(v Validation, now int64) error

	// DeleteValidation removes a validation; none is no error.
	DeleteValidation(id string) error
}

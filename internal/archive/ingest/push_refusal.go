package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

// refusal is an answer that is not 204.
type refusal struct {
	code   int
	reason string
	// message says what is wrong and what to do.
	message string
}

func (r *refusal) Error() string { return r.message }

// The reasons, as the metrics name them.
const (
	reasonInvalid      = "invalid"
	reasonTooLarge     = "too_large"
	reasonBrokeOff     = "broke_off"
	reasonUnauthorized = "unauthorized"
	reasonForbidden    = "forbidden"
	reasonBusy         = "busy"
	reasonLimit        = "limit"
	reasonReadOnly     = "read_only"
	reasonUnavailable  = "unavailable"
)

func invalid(err error) *refusal { return &refusal{http.StatusBadRequest, reasonInvalid, err.Error()} }

// refusalOf is the answer for an error. What a database or an API server says is for the log, and not for tests.
func refusalOf(err error) *refusal {
	var refused *refusal
	var denied *Denial
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &denied) && denied.Unknown:
		return &refusal{http.StatusUnauthorized, reasonUnauthorized, denied.Message}
	case errors.As(err, &denied):
		return &refusal{http.StatusForbidden, reasonForbidden, denied.Message}
	case errors.Is(err, errBusy):
		return &refusal{http.StatusTooManyRequests, reasonBusy, errBusy.Error()}
	case errors.Is(err, errUnknownRun):
		return &refusal{http.StatusServiceUnavailable, reasonUnavailable, errUnknownRun.Error()}
	case errors.Is(err, archive.ErrReadOnly):
		return &refusal{http.StatusServiceUnavailable, reasonReadOnly, "the archive is read-only, since its disk is full for one: push again later"}
	case errors.Is(err, archive.ErrExpired):
		return &refusal{http.StatusRequestEntityTooLarge, reasonLimit, "what was kept of this is deleted already, since it was kept for its time"}
	case errors.Is(err, archive.ErrTooMany):
		return &refusal{http.StatusRequestEntityTooLarge, reasonLimit, "the run has as many streams or chunks as a run may have"}
	case errors.Is(err, archive.ErrInvalid):
		return &refusal{http.StatusBadRequest, reasonInvalid, "it contradicts itself, or what is kept of the run"}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{http.StatusServiceUnavailable, reasonUnavailable, "storing takes too long now: push again later"}
	}
	return &refusal{http.StatusServiceUnavailable, reasonUnavailable, "the archive cannot store anything now: push again later"}
}

func (r *refusal) answer(w http.ResponseWriter) {
	body, err := json.Marshal(push.Refusal{Error: r.message})
	if err != nil {
		panic(err) // it is a text
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(r.code)
	_, _ = w.Write(body)
}

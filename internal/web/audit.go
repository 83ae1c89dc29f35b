package web

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/testrun-dev/testrun/internal/archive"
)

// What people do, as the audit names it, and what comes of it.
const (
	actionCreate   = "create"
	resultCreated  = "created"
	resultConflict = "refused: the Idempotency-Key came before with another request"
)

// auditTimeout is for writing an entry, also when whoever asked has gone.
const auditTimeout = 10 * time.Second

// audit keeps what the caller did. Refusals are kept of those who may see the runs of the namespace: others could fill it with what they may
// not do, and the API server has an audit of its own.
func (s *server) audit(ctx context.Context, action, namespace string, run CreatedRun, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	who := userOf(ctx)
	entry := archive.AuditEntry{User: who.Username, Action: action, Namespace: namespace, Name: run.Name, UID: run.UID, Result: resultCreated}
	if err != nil {
		if may, unknown := s.rights.may(ctx, who, namespace, toRun); unknown != nil || !may {
			return
		}
		entry.Result = resultOf(err)
	}
	if err := s.store.Audit(ctx, entry); err != nil {
		s.log.ErrorContext(ctx, "What was done is not in the audit", "user", who.Username, "action", action, "namespace", namespace, "run", run.Name,
			"result", entry.Result, "error", err)
	}
}

func resultOf(err error) string {
	var refused apierrors.APIStatus
	var known huma.StatusError
	switch {
	case errors.As(err, &refused):
		return "refused: " + refused.Status().Message
	case errors.As(err, &known):
		return resultConflict
	default:
		return "failed"
	}
}

// AuditEntry is something that a person did through this API.
type AuditEntry struct {
	Time      time.Time `json:"time"`
	User      string    `json:"user"`
	Action    string    `json:"action" doc:"What was asked for: create, or what the pages offer, as rerun, cancel, pin, unpin, pause and resume."`
	Namespace string    `json:"namespace"`
	Run       string    `json:"run,omitempty" doc:"The name of the run that it was about, if there is one."`
	UID       string    `json:"uid,omitempty"`
	Result    string    `json:"result" doc:"What came of it: created, or refused and why, or failed."`
}

// AuditList is a page of the audit, the newest entry first.
type AuditList struct {
	Items []AuditEntry `json:"items" nullable:"false"`
	Page
}

type auditOutput struct{ Body AuditList }

type auditPlace struct {
	ID int64 `json:"i"`
}

func (s *server) registerAudit(api huma.API) {
	ofNamespace(s, api, inNamespace, operation{
		id: "list-audit", path: "/audit", right: toAudit, summary: "Who did what in a namespace",
		description: "What people did through this API, the newest first. You need the right to get testruns/audit.",
	}, s.auditLog)
}

func (s *server) auditLog(ctx context.Context, where place, input *Paged) (*auditOutput, error) {
	var place auditPlace
	if err := afterCursor(input.After, &place); err != nil {
		return nil, err
	}
	entries, more, err := s.store.AuditLog(ctx, where.namespace, place.ID, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &auditOutput{AuditList{Items: make([]AuditEntry, 0, len(entries))}}
	for _, e := range entries {
		output.Body.Items = append(output.Body.Items, AuditEntry{e.At.UTC(), e.User, e.Action, e.Namespace, e.Name, e.UID, e.Result})
	}
	if more && len(entries) > 0 {
		output.Body.Next = cursor(auditPlace{entries[len(entries)-1].ID})
	}
	return output, nil
}

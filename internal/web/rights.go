package web

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// How long the API server's answers about rights are believed, and how many are remembered.
const (
	rightsGoodFor = 10 * time.Second
	maxRights     = 16384
)

// What of a run one has to have the right to get, as a subresource of testruns. They exist for these rights only.
const (
	toRun       = ""
	toOutput    = "log"
	toArtifacts = "artifacts"
	toAudit     = "audit"
)

// rights knows what users may see.
type rights struct {
	reviews authorizationclient.SubjectAccessReviewInterface
	known   *cache.LRUExpireCache
	asking  singleflight.Group
	slots   chan struct{}
}

func newRights(reviews authorizationclient.SubjectAccessReviewInterface) *rights {
	return &rights{reviews: reviews, known: cache.NewLRUExpireCache(maxRights), slots: make(chan struct{}, maxReviews)}
}

// question is whether a user may get a subresource of testruns in a namespace; in all, if the namespace is empty.
type question struct{ user, namespace, subresource string }

// may says whether that user may get that subresource of testruns in the namespace; in all namespaces, if it is empty.
func (r *rights) may(ctx context.Context, who user, namespace, subresource string) (bool, error) {
	asked := question{who.key(), namespace, subresource}
	if allowed, ok := r.known.Get(asked); ok {
		return allowed.(bool), nil
	}
	allowed, err, _ := r.asking.Do(fmt.Sprintf("%q", asked), func() (any, error) {
		return r.ask(context.WithoutCancel(ctx), who, asked)
	})
	if err != nil {
		return false, err
	}
	return allowed.(bool), nil
}

func (r *rights) ask(ctx context.Context, who user, asked question) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return false, errors.New("too many rights are checked at once")
	}
	extra := make(map[string]authorizationv1.ExtraValue, len(who.Extra))
	for key, value := range who.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.Username, UID: who.UID, Groups: who.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: asked.namespace, Verb: "get", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
			Resource: "testruns", Subresource: asked.subresource,
		},
	}}
	review, err := r.reviews.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking the API server for the rights of %s: %w", who.Username, err)
	}
	allowed := review.Status.Allowed && !review.Status.Denied
	r.known.Add(asked, allowed, rightsGoodFor)
	return allowed, nil
}

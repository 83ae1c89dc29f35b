package page

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/rest"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// How long the API server's answers about rights are believed, how many are remembered, and how many are asked for at once.
const (
	rightsGoodFor = 10 * time.Second
	maxRights     = 16384
	maxAsked      = 32
)

// rights knows what those who look may do. It asks with their tokens, as kubectl auth can-i does.
type rights struct {
	client *rest.RESTClient
	known  *cache.LRUExpireCache
	asking singleflight.Group
	slots  chan struct{}
}

func newRights(base *rest.Config) (*rights, error) {
	client, err := clientOf(base, authorizationv1.SchemeGroupVersion)
	return &rights{client: client, known: cache.NewLRUExpireCache(maxRights), slots: make(chan struct{}, maxAsked)}, err
}

// question is whether somebody may do something.
type question struct {
	token                     [sha256.Size]byte
	verb, resource, namespace string
}

// may says whether whoever looks may do that with objects of the namespace, or of the cluster if it is empty.
func (v *visit) may(verb, resource, namespace string) (bool, error) {
	return v.kube.rights.may(v.r.Context(), v.session.Token, verb, resource, namespace)
}

func (r *rights) may(ctx context.Context, token, verb, resource, namespace string) (bool, error) {
	asked := question{sha256.Sum256([]byte(token)), verb, resource, namespace}
	if allowed, ok := r.known.Get(asked); ok {
		return allowed.(bool), nil
	}
	allowed, err, _ := r.asking.Do(fmt.Sprintf("%q", asked), func() (any, error) {
		// Others wait for the same answer, and do not go when the first one does.
		return r.ask(context.WithoutCancel(ctx), token, asked)
	})
	if err != nil {
		return false, asTheClusterSays(err)
	}
	return allowed.(bool), nil
}

func (r *rights) ask(ctx context.Context, token string, asked question) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, kubeTimeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return false, errors.New("too many rights are asked for at once")
	}
	review := authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: asked.namespace, Verb: asked.verb, Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
			Resource: asked.resource,
		},
	}}
	review.APIVersion, review.Kind = authorizationv1.SchemeGroupVersion.String(), "SelfSubjectAccessReview"
	request, err := postOf(r.client, "selfsubjectaccessreviews", review)
	if err == nil {
		err = send(ctx, token, request, &review)
	}
	if err != nil && !apierrors.IsForbidden(err) {
		return false, err
	}
	allowed := err == nil && review.Status.Allowed && !review.Status.Denied // who may not ask what they may do is offered nothing
	r.known.Add(asked, allowed, rightsGoodFor)
	return allowed, nil
}

// Rights are what whoever looks may do with the runs of a namespace: what they may not is not offered.
type Rights struct {
	// Create is to run, and to rerun. Change is to cancel, to pin and to unpin.
	Create, Change bool
}

// Any says whether they may do anything.
func (r Rights) Any() bool { return r.Create || r.Change }

// rightsIn are the rights in a namespace.
func (v *visit) rightsIn(namespace string) (Rights, error) {
	all, err := v.rightsInEach(namespace)
	return all[namespace], err
}

// rightsInEach are the rights in each of the namespaces. While the API server cannot be asked, nothing is offered: there is enough to see.
func (v *visit) rightsInEach(namespaces ...string) (map[string]Rights, error) {
	found := make([]Rights, len(namespaces))
	var group errgroup.Group
	group.SetLimit(maxAsked / 2)
	for i, namespace := range namespaces {
		group.Go(func() (err error) { found[i].Create, err = v.may("create", testRuns, namespace); return err })
		group.Go(func() (err error) { found[i].Change, err = v.may("patch", testRuns, namespace); return err })
	}
	err := group.Wait()
	var down *problem
	switch {
	case errors.As(err, &down):
		v.log.ErrorContext(v.r.Context(), "The rights of whoever looks are not known, so that nothing is offered", "error", errors.Unwrap(err))
		return nil, nil
	case err != nil:
		return nil, err
	}
	each := make(map[string]Rights, len(namespaces))
	for i, namespace := range namespaces {
		each[namespace] = found[i]
	}
	return each, nil
}

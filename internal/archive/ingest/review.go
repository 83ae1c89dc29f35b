package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/runner"
)

// Reviewer says who pushes.
type Reviewer interface {
	// Review returns the attempt whose pod has that token, as it was known at most age ago. The error is a *Denial if there is none; any other
	// error says nothing about the token.
	Review(ctx context.Context, token string, age time.Duration) (archive.Owner, error)
}

// Denial means that a token may push nothing.
type Denial struct {
	// Unknown means that the API server does not know the token. Otherwise it is not that of a test's pod.
	Unknown bool
	// Message says why, in words for people.
	Message string
}

// Error is the message.
func (d *Denial) Error() string { return d.Message }

// errBusy means that too many tokens are to be reviewed at once.
var errBusy = errors.New("too many new tokens are pushing at once: push again later")

// RunReader reads what the archive keeps of a run.
type RunReader interface {
	Run(ctx context.Context, uid string) (archive.Run, error)
}

// PodReviewer asks the API server: a TokenReview names the pod, and the pod names its attempt.
//
// What a token may do is remembered for a while. The number of reviews is bounded, since anyone who reaches the port can make a token up.
type PodReviewer struct {
	client client.Client
	kept   RunReader
	// reviewed has a review for each token's hash.
	reviewed *cache.LRUExpireCache
	// ttl is how long it is remembered who pushes, and patience how long the API server may take.
	ttl, patience time.Duration
	// underway are reviews, by the token's hash, so that a token is reviewed only once at a time.
	underway singleflight.Group
	limit    *rate.Limiter
}

const (
	reviewTTL = time.Minute
	// endedTTL is the same for the token of an attempt that has ended: its pod may be gone.
	endedTTL = time.Second
	// denialTTL is how long it is remembered that a token is denied.
	denialTTL = 2 * time.Second
	// maxReviewed is how many tokens are remembered.
	maxReviewed = 20_000
	reviewTime  = 2 * time.Second
	// reviewsPerSecond and reviewBurst bound how often the API server is asked. 10,000 pods that push all the time need 167 a second.
	reviewsPerSecond = 250
	reviewBurst      = 500
)

// NewPodReviewer makes a reviewer. The client has no cache. It reads what is kept of runs whose object is gone.
func NewPodReviewer(api client.Client, kept RunReader) *PodReviewer {
	return &PodReviewer{
		client: api, kept: kept, reviewed: cache.NewLRUExpireCache(maxReviewed), ttl: reviewTTL, patience: reviewTime,
		limit: rate.NewLimiter(reviewsPerSecond, reviewBurst),
	}
}

// review is what is remembered of a token.
type review struct {
	owner  archive.Owner
	denial *Denial
	at     time.Time
}

// Review asks the API server, or remembers what it has said.
func (r *PodReviewer) Review(ctx context.Context, token string, age time.Duration) (archive.Owner, error) {
	hash := sha256.Sum256([]byte(token))
	key := string(hash[:])
	if known, ok := r.reviewed.Get(key); ok && time.Since(known.(review).at) <= age {
		return known.(review).result()
	}
	// Who asked first may hang up, and others wait for the answer.
	result := r.underway.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.patience)
		defer cancel()
		return r.ask(ctx, key, token)
	})
	select {
	case <-ctx.Done():
		return archive.Owner{}, ctx.Err()
	case answer := <-result:
		if answer.Err != nil {
			return archive.Owner{}, answer.Err
		}
		return answer.Val.(review).result()
	}
}

func (r review) result() (archive.Owner, error) {
	if r.denial != nil {
		return archive.Owner{}, r.denial
	}
	return r.owner, nil
}

func (r *PodReviewer) ask(ctx context.Context, key, token string) (review, error) {
	if !r.limit.Allow() {
		return review{}, errBusy
	}
	answer, ttl := review{at: time.Now()}, r.ttl
	var err error
	answer.owner, err = r.ownerOf(ctx, token)
	if err != nil {
		if !errors.As(err, &answer.denial) {
			return review{}, err
		}
		ttl = min(ttl, denialTTL)
	}
	if ttl > 0 {
		r.reviewed.Add(key, answer, ttl)
	}
	return answer, nil
}

func (r *PodReviewer) ownerOf(ctx context.Context, token string) (archive.Owner, error) {
	pod, err := r.podOf(ctx, token)
	if err != nil {
		return archive.Owner{}, err
	}
	identity, err := identityOf(pod)
	if err != nil {
		return archive.Owner{}, err
	}
	return r.runOf(ctx, identity, pod.Labels[v1alpha1.LabelTest])
}

// podOf is the pod that the token was made for.
func (r *PodReviewer) podOf(ctx context.Context, token string) (*corev1.Pod, error) {
	asked := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{push.Audience}}}
	if err := r.client.Create(ctx, asked); err != nil {
		return nil, fmt.Errorf("asking the API server whose token it is: %w", err)
	}
	status := asked.Status
	if !status.Authenticated || !slices.Contains(status.Audiences, push.Audience) {
		return nil, &Denial{true, "the API server does not know the token, or not for " + push.Audience}
	}
	// It is system:serviceaccount:NAMESPACE:NAME.
	parts := strings.Split(status.User.Username, ":")
	name, uid := extra(status.User, "authentication.kubernetes.io/pod-name"), extra(status.User, "authentication.kubernetes.io/pod-uid")
	if len(parts) != 4 || parts[0] != "system" || parts[1] != "serviceaccount" || name == "" || uid == "" {
		return nil, &Denial{false, "the token is not that of a pod"}
	}
	pod := &corev1.Pod{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: parts[2], Name: name}, pod)
	if apierrors.IsNotFound(err) || err == nil && string(pod.UID) != uid {
		return nil, &Denial{false, fmt.Sprintf("the pod %s of the token is gone", name)}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pod of the token: %w", err)
	}
	return pod, nil
}

func extra(user authenticationv1.UserInfo, name string) string {
	if values := user.Extra[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// identityOf is the attempt that a pod executes. The operator has written it several times: as the runner's argument, as variables, as labels,
// and as the name of the Job. The author of a test cannot change all of these, but may add a container that names another attempt, for one.
// So all have to agree.
func identityOf(pod *corev1.Pod) (runner.Identity, error) {
	var identity runner.Identity
	for i := range pod.Spec.Containers {
		found, ok := runner.IdentityIn(pod.Spec.Containers[i].Command)
		if ok && identity != (runner.Identity{}) && found != identity {
			return identity, notOfRun(pod)
		}
		if ok {
			identity = found
		}
	}
	for _, container := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		if !agrees(container.Env, identity) {
			return identity, notOfRun(pod)
		}
	}
	job := metav1.GetControllerOf(pod)
	attempt := strconv.Itoa(int(identity.Attempt))
	if identity.Namespace != pod.Namespace || pod.Labels[v1alpha1.LabelRun] != identity.Name || pod.Labels[v1alpha1.LabelAttempt] != attempt ||
		job == nil || job.Kind != "Job" || job.Name != identity.Name+"-"+attempt {
		return identity, notOfRun(pod)
	}
	return identity, nil
}

// agrees says whether no variable names another attempt.
func agrees(env []corev1.EnvVar, identity runner.Identity) bool {
	for _, variable := range identity.Variables() {
		for i := range env {
			if env[i].Name == variable.Name && env[i].Value != variable.Value {
				return false
			}
		}
	}
	return true
}

func notOfRun(pod *corev1.Pod) *Denial {
	return &Denial{false, fmt.Sprintf("the pod %s is not, beyond doubt, that of a run", pod.Name)}
}

// errUnknownRun means that neither the API server nor the archive has the run. The watch may tell of it soon.
var errUnknownRun = errors.New("the run is gone, and the archive has not heard of it yet: push again later")

// runOf is the run of an attempt, as the API server has it, or else as it is kept. test is the name of its Test.
func (r *PodReviewer) runOf(ctx context.Context, identity runner.Identity, test string) (archive.Owner, error) {
	owner := archive.Owner{UID: identity.UID, Namespace: identity.Namespace, Name: identity.Name, Test: test, Attempt: identity.Attempt}
	run := &v1alpha1.TestRun{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: identity.Namespace, Name: identity.Name}, run)
	switch {
	case err == nil && string(run.UID) == identity.UID:
		owner.Series = archive.SeriesOf(owner.Test, run.Labels, run.GenerateName, run.Name)
		owner.Created = run.CreationTimestamp.Time
		return owner, nil
	case err != nil && !apierrors.IsNotFound(err):
		return owner, fmt.Errorf("reading the run: %w", err)
	}
	kept, err := r.kept.Run(ctx, identity.UID)
	switch {
	case errors.Is(err, archive.ErrNotFound):
		return owner, errUnknownRun
	case err != nil:
		return owner, err
	case kept.Namespace != identity.Namespace || kept.Name != identity.Name:
		return owner, &Denial{false, fmt.Sprintf("the run %s has another UID", identity.Name)}
	}
	owner.Series, owner.Created = kept.Series, kept.Created
	return owner, nil
}

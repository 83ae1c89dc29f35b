package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
)

// How long the API server's answers about tokens are believed, how many are remembered, and how many are asked for at once. A token that
// is refused may be good a moment later, when the API server has seen its ServiceAccount.
const (
	tokenGoodFor   = time.Minute
	tokenBadFor    = 5 * time.Second
	maxTokens      = 4096
	maxTokenLength = 16 << 10
	maxReviews     = 32
	reviewTimeout  = 10 * time.Second
)

// user is who asks.
type user struct {
	authenticationv1.UserInfo
	// token proves it, and came from client, an address.
	token, client string
}

// key is the same for the same rights.
func (u user) key() string {
	return fmt.Sprintf("%q %q %q %q", u.Username, u.UID, u.Groups, u.Extra) // maps are printed in the order of their keys
}

// identities knows whose a token is.
type identities struct {
	reviews authenticationclient.TokenReviewInterface
	// good and bad are by the hash of the token. They are apart, so that no flood of bad ones forgets the good.
	good, bad *cache.LRUExpireCache
	asking    singleflight.Group
	slots     chan struct{}
	tries     *tries
}

func newIdentities(reviews authenticationclient.TokenReviewInterface) *identities {
	return &identities{
		reviews: reviews, good: cache.NewLRUExpireCache(maxTokens), bad: cache.NewLRUExpireCache(maxTokens),
		slots: make(chan struct{}, maxReviews), tries: newTries(),
	}
}

// errNotAuthenticated means that the API server does not know the token.
var errNotAuthenticated = errors.New("the API server does not accept this token")

// of says whose the token is. client is the address that it comes from.
func (i *identities) of(ctx context.Context, token, client string) (user, error) {
	hash := sha256.Sum256([]byte(token))
	if known, ok := i.good.Get(hash); ok {
		return user{known.(authenticationv1.UserInfo), token, client}, nil
	}
	if _, ok := i.bad.Get(hash); ok {
		return user{}, errNotAuthenticated
	}
	tries := i.tries.of(client)
	if tries.Tokens() < 1 {
		return user{}, errTooManyTries
	}
	info, err, _ := i.asking.Do(string(hash[:]), func() (any, error) {
		// Others wait for the same answer, and do not go when the first one does.
		return i.ask(context.WithoutCancel(ctx), token, hash)
	})
	if errors.Is(err, errNotAuthenticated) {
		tries.Allow()
	}
	if err != nil {
		return user{}, err
	}
	return user{info.(authenticationv1.UserInfo), token, client}, nil
}

func (i *identities) ask(ctx context.Context, token string, hash [sha256.Size]byte) (authenticationv1.UserInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	case <-ctx.Done():
		return authenticationv1.UserInfo{}, errors.New("too many tokens are checked at once")
	}
	// No audience is named: the token has to be for the API server itself, so that a pod's token for pushing is none.
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	review, err := i.reviews.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, fmt.Errorf("asking the API server whose the token is: %w", err)
	}
	if !review.Status.Authenticated || review.Status.User.Username == "" {
		i.bad.Add(hash, true, tokenBadFor)
		return authenticationv1.UserInfo{}, errNotAuthenticated
	}
	i.good.Add(hash, review.Status.User, tokenGoodFor)
	return review.Status.User, nil
}

const howToGetAToken = "Send one as \"Authorization: Bearer TOKEN\". `kubectl create token NAME --namespace=NAMESPACE` makes one for a ServiceAccount."

// authenticated lets requests through whose token is known.
func (s *server) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := Bearer(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeProblem(w, http.StatusUnauthorized, "This needs a token of the cluster. "+howToGetAToken)
			return
		}
		who, err := s.identities.of(r.Context(), token, r.RemoteAddr)
		switch {
		case errors.Is(err, errNotAuthenticated):
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			writeProblem(w, http.StatusUnauthorized, "The API server does not accept this token: it has expired, or is not for the API server. "+howToGetAToken)
		case errors.Is(err, errTooManyTries):
			w.Header().Set("Retry-After", "10")
			writeProblem(w, http.StatusTooManyRequests, "Too many tokens from your address were refused. Wait some seconds, and send one that is good.")
		case err != nil:
			s.log.ErrorContext(r.Context(), "A token cannot be checked", "error", err)
			unavailable(w, "The API server cannot be asked whose the token is. Try again.")
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, who)))
		}
	})
}

type userKey struct{}

func userOf(ctx context.Context) user {
	who, _ := ctx.Value(userKey{}).(user)
	return who
}

// Bearer is the token that a request carries.
func Bearer(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= maxTokenLength
}

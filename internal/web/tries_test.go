package web

import (
	"context"
	"errors"
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// identitiesOf knows the users of the tokens, and counts how often it is asked.
func identitiesOf(users map[string]string) (known *identities, asked *int) {
	asked = new(int)
	clients := fake.NewClientset()
	clients.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		*asked++
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview)
		review.Status.User.Username = users[review.Spec.Token]
		review.Status.Authenticated = review.Status.User.Username != ""
		return true, review, nil
	})
	return newIdentities(clients.AuthenticationV1().TokenReviews()), asked
}

func TestWhoTriesManyTokensIsToldToWait(t *testing.T) {
	known, asked := identitiesOf(map[string]string{"good": "ada", "also good": "grace"})
	known.tries.more = 0
	const guesser, other = "192.0.2.1:1000", "192.0.2.2:1000"
	if who, err := known.of(t.Context(), "good", guesser); err != nil || who.Username != "ada" {
		t.Fatalf("a good token is of %q: %v", who.Username, err)
	}
	const guesses = 10 * maxTries
	for n := range guesses {
		_, err := known.of(t.Context(), fmt.Sprint("guess ", n), fmt.Sprint("192.0.2.1:", n))
		if !errors.Is(err, errNotAuthenticated) && !errors.Is(err, errTooManyTries) {
			t.Fatalf("guess %d is answered with %v", n, err)
		}
	}
	if *asked >= guesses/2 {
		t.Errorf("%d guesses have asked the API server %d times", guesses, *asked)
	}
	for _, one := range []struct {
		name, token, client string
		want                error
	}{
		{"a token that is known to be good", "good", guesser, nil},
		{"another good one of the same address", "also good", guesser, errTooManyTries},
		{"another good one of another address", "also good", other, nil},
	} {
		if _, err := known.of(context.Background(), one.token, one.client); !errors.Is(err, one.want) {
			t.Errorf("%s: %v", one.name, err)
		}
	}
}

func TestTheAddressesOfOneClientAreOne(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "[2001:db8:1:2:ffff::]:1": "2001:db8:1:2::/64",
		"[::ffff:192.0.2.1]:80": "::ffff:192.0.2.1", "": "", "a pipe": "a pipe",
	} {
		if got := clientOf(address); got != want {
			t.Errorf("%q is of %q, not %q", address, got, want)
		}
	}
}

package directory_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"doorward/auth/directory"
	"doorward/auth/user"
	"doorward/internal/alloctest"
	"doorward/state"
)

func TestTokenOpensByItsSecretAlone(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		secret, made, err := d.CreateToken(w.Context(), user.Token{
			ID: "t-mine", UserID: idOf(bob), Title: "ci\n", Routes: []string{"api"},
			LastUsed: time.Now(),
		})
		w.must(err)
		if len(secret) != 52 || !strings.HasPrefix(secret, "dw_") || made.ID == "t-mine" ||
			made.Title != "ci" || !made.LastUsed.IsZero() || made.Created.IsZero() {
			w.Errorf("secret of %d characters, token %+v", len(secret), made)
		}
		p, found := d.FindToken([]byte(secret))
		if p != bob || found == nil || found.ID != made.ID || !found.Opens("api", time.Now()) ||
			found.Opens("admin", time.Now()) {
			w.Errorf("found %s, %+v", nameOf(p), found)
		}
		for i := range secret {
			other := []byte(secret)
			other[i] ^= 1
			if p, _ := d.FindToken(other); p != nil {
				w.Errorf("opens with another byte at %d", i)
			}
		}
		for _, other := range []string{"", "dw_", secret[1:], secret + "x", secret[:51],
			strings.Repeat("x", 1<<16), "Bearer " + secret} {
			if p, _ := d.FindToken([]byte(other)); p != nil {
				w.Errorf("opens with %.60q", other)
			}
		}
		for entry, err := range w.store.All(w.Context(), "") {
			w.must(err)
			if text := entry.Key + string(entry.Value); strings.Contains(text, secret[3:40]) {
				w.Errorf("the store has the secret: %q", text)
			}
		}
	})
}

func TestTokenEnds(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		for name, end := range map[string]func(p *user.Person, id string){
			"deleted": func(_ *user.Person, id string) { w.must(d.DeleteToken(w.Context(), id)) },
			"user disabled": func(p *user.Person, _ string) {
				w.update(d, p, func(u *user.User) { u.State = user.Disabled })
			},
			"user pending": func(p *user.Person, _ string) {
				w.update(d, p, func(u *user.User) { u.State = user.Pending })
			},
			"user deleted": func(p *user.Person, _ string) { w.must(d.Delete(w.Context(), idOf(p))) },
		} {
			p := w.create(d, user.User{Name: strings.ReplaceAll(name, " ", "-")})
			secret, made, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(p)})
			w.must(err)
			if got, _ := d.FindToken([]byte(secret)); got != p {
				w.Fatalf("%s: opens for %s", name, nameOf(got))
			}
			end(p, made.ID)
			if got, _ := d.FindToken([]byte(secret)); got != nil {
				w.Errorf("%s: still opens", name)
			}
		}
		if err := d.DeleteToken(w.Context(), "t-none"); !errors.Is(err, directory.ErrNotFound) {
			w.Errorf("DeleteToken = %v", err)
		}
		if _, ok := d.Token("t-none"); ok {
			w.Error("there is a token that was never made")
		}
	})
}

func TestTokensOfAUser(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		for i := range 3 {
			_, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob), Title: fmt.Sprint(i)})
			w.must(err)
			pass(time.Second)
		}
		var titles string
		for _, token := range d.Tokens(idOf(bob)) {
			titles += token.Title
		}
		if titles != "210" || len(d.Tokens("u-none")) != 0 {
			w.Errorf("tokens %q, want the newest first", titles)
		}
		if _, _, err := d.CreateToken(w.Context(), user.Token{UserID: "u-none"}); !errors.Is(err,
			directory.ErrNotFound) {
			w.Errorf("a token for nobody: %v", err)
		}
		for range 197 {
			_, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
			w.must(err)
		}
		_, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
		if !errors.Is(err, directory.ErrInvalid) {
			w.Errorf("one token too many: %v", err)
		}
		w.must(d.Delete(w.Context(), idOf(bob)))
		for entry, err := range w.store.All(w.Context(), "token") {
			w.must(err)
			w.Errorf("left behind: %s", entry.Key)
		}
	})
}

func TestUsesOfTokensAreWrittenOnceAMinute(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		var secrets []string
		for range 150 {
			secret, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
			w.must(err)
			secrets = append(secrets, secret)
		}
		log := w.store.Log("users", 1)
		before, _ := log.Newest(w.Context())
		for range 30 {
			for _, secret := range secrets {
				d.FindToken([]byte(secret))
			}
			pass(time.Second)
		}
		if n, _ := log.Newest(w.Context()); n != before {
			w.Errorf("%d writes at once", n-before)
		}
		pass(soon)
		if n, _ := log.Newest(w.Context()); n != before+1 {
			w.Errorf("%d writes in a minute, want 1", n-before)
		}
		used := d.Tokens(idOf(bob))[0].LastUsed
		if used.IsZero() || used.Location() != time.UTC {
			w.Errorf("last use %v", used)
		}
		pass(time.Hour)
		if n, _ := log.Newest(w.Context()); n != before+1 {
			w.Errorf("%d writes without a use", n-before-1)
		}
	})
}

func TestUsesOfTokensWaitForTheStore(t *testing.T) {
	inBubble(t, func(w *world) {
		broken := &engine{store: w.store}
		w.store = state.New(broken)
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		secret, made, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
		w.must(err)
		used := time.Now()
		d.FindToken([]byte(secret))
		broken.fail(errors.New("no route to the store"))
		pass(3 * soon)
		broken.fail(nil)
		pass(soon)
		again, ok := w.open(directory.Mapping{}).Token(made.ID)
		if !ok || again.LastUsed.Unix() != used.Unix() {
			w.Errorf("used at %v, want %v", again.LastUsed, used)
		}
	})
}

func TestWhatIsOfNoUseGoesAtTheStart(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		token := func(ends time.Duration) user.Token {
			_, made, err := d.CreateToken(w.Context(),
				user.Token{UserID: idOf(bob), Expires: time.Now().Add(ends)})
			w.must(err)
			return made
		}
		old, late := token(time.Hour), token(30*24*time.Hour)
		orphan, err := json.Marshal(user.Token{ID: "t-orphan", UserID: "u-gone"})
		w.must(err)
		hash := strings.Repeat("A", 43)
		for _, key := range []string{"token/" + hash, "token-used/" + hash} {
			_, err := w.store.Set(w.Context(), key, orphan, 0)
			w.must(err)
		}
		pass(32 * 24 * time.Hour)
		again := w.open(directory.Mapping{})
		if _, ok := again.Token(old.ID); ok {
			w.Error("a token that ended a month ago is still there")
		}
		if _, ok := again.Token(late.ID); !ok {
			w.Error("a token that ended just now is gone")
		}
		keys := ""
		for entry, err := range w.store.All(w.Context(), "token") {
			w.must(err)
			keys += entry.Key + " "
		}
		if strings.Count(keys, "/") != 1 {
			w.Errorf("the store still has %s", keys)
		}
	})
}

func TestFindTokenAllocatesNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob := w.create(d, user.User{Name: "bob"})
		text, _, err := d.CreateToken(w.Context(), user.Token{UserID: idOf(bob)})
		w.must(err)
		secret := []byte(text)
		d.FindToken(secret)
		if n := alloctest.PerRun(100, func() {
			if p, _ := d.FindToken(secret); p != bob {
				w.Error("not found")
			}
		}); n != 0 {
			w.Errorf("%v allocations", n)
		}
	})
}

func BenchmarkFindToken(b *testing.B) {
	store, err := state.Open("memory:", state.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	d, err := directory.Open(b.Context(), directory.Options{Store: store})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	var secrets [][]byte
	for i := range 100 {
		p, err := d.Create(b.Context(), user.User{Name: fmt.Sprint("user-", i)})
		if err != nil {
			b.Fatal(err)
		}
		for range 100 {
			secret, _, err := d.CreateToken(b.Context(), user.Token{UserID: idOf(p)})
			if err != nil {
				b.Fatal(err)
			}
			secrets = append(secrets, []byte(secret))
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if p, _ := d.FindToken(secrets[i%len(secrets)]); p == nil {
			b.Fatal("not found")
		}
		i++
	}
}

package local_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/local"
	"doorward/auth/user"
)

// TestSecurity holds the cases of group LOC that are about passwords and guessing.
func TestSecurity(t *testing.T) {
	for name, test := range map[string]func(*world){
		"LOC-01_all_refusals_read_the_same":             sameRefusals,
		"LOC-02_all_refusals_take_the_same_time":        sameTime,
		"LOC-03_guessing_one_user":                      bruteForce,
		"LOC-03_each_further_failure_waits_longer":      longerWaits,
		"LOC-04_spellings_are_counted_as_one":           oneCount,
		"LOC-05_one_password_for_many_users":            spraying,
		"LOC-05_addresses_of_one_customer_are_one":      oneCustomer,
		"LOC-06_each_try_from_another_address":          stuffing,
		"LOC-07_nobody_locks_the_owner_out":             noLockout,
		"LOC-08_many_guesses_at_once":                   guessesAtOnce,
		"LOC-09_what_the_client_sends_resets_no_count":  clientState,
		"LOC-09_cookie_of_a_known_browser":              deviceCookie,
		"LOC-10_reload_keeps_counts_restart_does_not":   reloadAndRestart,
		"LOC-11_more_sign_ins_than_hashes":              hashFlood,
		"LOC-12_long_passwords":                         longPasswords,
		"LOC-13_empty_password":                         emptyPassword,
		"LOC-14_hashes_that_somebody_wrote_into_users":  badStoredHashes,
		"LOC-15_name_and_password_run_into_each_other":  noConcatenation,
		"LOC-16_disabled_while_the_hash_was_made":       disabledMeanwhile,
		"LOC-16_password_changed_while_hash_was_made":   changedMeanwhile,
		"LOC-18_default_passwords_are_refused":          noDefaults,
		"LOC-32_change_needs_the_old_password":          changeNeedsOld,
		"LOC-32_change_keeps_to_the_policy":             changeKeepsPolicy,
		"LOC-33_names_and_passwords_of_Basic":           oddCredentials,
		"TIME-03_clock_that_jumps_ends_no_sign_in_ever": jumpingClock,
	} {
		t.Run(name, func(t *testing.T) { inBubble(t, test) })
	}
}

func sameRefusals(w *world) {
	other := func(name string, change func(*user.User)) {
		w.update(w.add(user.User{Name: name}), change)
	}
	other("disabled", func(u *user.User) { u.State = user.Disabled })
	other("pending", func(u *user.User) { u.State = user.Pending })
	w.add(user.User{Name: "service", Service: true})
	w.add(user.User{Name: "blocked"})
	if _, err := w.users.Create(w.Context(), user.User{Name: "without"}); err != nil {
		w.Fatal(err)
	}
	w.block("blocked")
	seen := map[string]bool{}
	for i, a := range []local.Attempt{
		{Login: "bob", Password: wrong}, {Login: "nobody", Password: wrong},
		{Login: "nobody", Password: right}, {Login: "disabled", Password: right},
		{Login: "disabled", Password: wrong}, {Login: "pending", Password: right},
		{Login: "service", Password: right}, {Login: "blocked", Password: right},
		{Login: "blocked", Password: wrong}, {Login: "without", Password: right},
		{Login: "bob", Password: strings.Repeat("x", 1<<20)}, {Login: "bob"},
		{Login: "", Password: right}, {Login: "\xff", Password: right},
	} {
		a.Client = from(100 + i)
		result, err := w.SignIn(w.Context(), a)
		if !errors.Is(err, local.ErrWrong) || result != (local.Result{}) {
			w.Errorf("%.20q and %.20q: %+v, %v", a.Login, a.Password, result, err)
		}
		seen[fmt.Sprint(err)] = true
	}
	if len(seen) != 1 {
		w.Errorf("texts %v", seen)
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, true)
}

func sameTime(w *world) {
	w.update(w.add(user.User{Name: "disabled"}), func(u *user.User) { u.State = user.Disabled })
	for i, login := range []string{"bob", "nobody", "disabled", "bob", "nobody", "disabled"} {
		began := time.Now()
		if err := w.try(login, wrong, from(i)); !errors.Is(err, local.ErrWrong) {
			w.Fatal(err)
		}
		if took := time.Since(began); took < 250*time.Millisecond || took > 300*time.Millisecond {
			w.Errorf("%s took %s", login, took)
		}
	}
	began := time.Now()
	if w.opens(local.Attempt{Login: "bob", Password: right}, true); time.Since(began) > 0 {
		w.Errorf("the right password took %s more than its hash", time.Since(began))
	}
	// Who does not wait for the answer keeps nothing waiting.
	_, err := w.SignIn(cancelled(), local.Attempt{Login: "bob", Password: wrong, Client: from(9)})
	if err == nil || time.Since(began) > 0 {
		w.Errorf("SignIn for somebody who has gone = %v", err)
	}
}

func bruteForce(w *world) {
	for i := range 100 {
		if err := w.try("bob", wrong, from(i)); !errors.Is(err, local.ErrWrong) {
			w.Fatalf("try %d: %v", i, err)
		}
	}
	// 100 tries take 25 s: five, and those after 1, 2, 4 and 8 s.
	if n := w.users.looked.Load(); n > 10 {
		w.Errorf("%d passwords were looked at", n)
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
	w.add(user.User{Name: "alice"})
	w.opens(local.Attempt{Login: "alice", Password: right}, true)
	pass(15 * time.Minute)
	w.opens(local.Attempt{Login: "bob", Password: right}, true)
	w.opens(local.Attempt{Login: "bob", Password: wrong}, false)
	w.opens(local.Attempt{Login: "bob", Password: right}, true)
}

func longerWaits(w *world) {
	for i := range 5 {
		_ = w.try("bob", wrong, from(i))
	}
	wait := time.Second
	for i := range 20 {
		began, before := time.Now(), w.users.looked.Load()
		for n := 10; w.users.looked.Load() == before; n++ {
			_ = w.try("bob", wrong, from(1000*i+n))
			pass(wait / 10)
		}
		took := time.Since(began)
		if took < wait*7/10 || took > wait*3/2+time.Second {
			w.Errorf("failure %d was looked at after %s, want about %s", 6+i, took, wait)
		}
		wait = min(2*wait, 15*time.Minute)
	}
}

func oneCount(w *world) {
	for i, login := range []string{"Bob", "bob ", "BOB", "bob@x.example", "ｂｏｂ"} {
		_ = w.try(login, wrong, from(i))
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
	w.opens(local.Attempt{Login: "BOB@X.example", Password: right}, false)
	// The names that nobody has are counted the same, so that waits tell nothing.
	for i, login := range []string{"Eve", "eve ", "EVE", "ｅｖｅ", "eve", "eve"} {
		_ = w.try(login, wrong, from(100+i))
	}
	w.add(user.User{Name: "eve"})
	w.opens(local.Attempt{Login: "eve", Password: right}, true) // another count from now on
}

func spraying(w *world) {
	client := netip.MustParseAddr("192.0.2.7")
	looked, throttled := 0, 0
	for i := range 200 {
		began := time.Now()
		err := w.try(fmt.Sprint("user-", i), right, client)
		var refused *local.ThrottledError
		switch {
		case errors.As(err, &refused):
			throttled++
			if refused.RetryAfter <= 0 || refused.RetryAfter > time.Hour {
				w.Errorf("retry after %s", refused.RetryAfter)
			}
		case errors.Is(err, local.ErrWrong):
			looked++
		default:
			w.Fatal(err)
		}
		if took := time.Since(began); took < 250*time.Millisecond {
			w.Errorf("try %d took %s", i, took)
		}
	}
	if looked > 20 || looked+throttled != 200 {
		w.Errorf("%d names in a minute, want 20", looked)
	}
	var refused *local.ThrottledError
	if err := w.try("bob", right, client.Next()); err != nil {
		w.Errorf("the address beside: %v", err)
	}
	if err := w.try("bob", right, netip.AddrFrom16(client.As16())); !errors.As(err, &refused) {
		w.Errorf("the same address in the form of IPv6: %v", err)
	}
	for hour := range 2 {
		for range 10 { // minutes
			for i := range 30 {
				if !errors.As(w.try(fmt.Sprint("other-", i), right, client), &refused) {
					looked++
				}
			}
			pass(time.Minute)
		}
		if looked < 50 || looked > 100 {
			w.Errorf("%d names in hour %d, want 100 at most", looked, hour+1)
		}
		looked = 0
		pass(time.Hour)
	}
	if err := w.try("bob", right, client); err != nil {
		w.Errorf("an hour later: %v", err)
	}
}

func oneCustomer(w *world) {
	try := func(address string, n int) (looked int) {
		for i := range n {
			var refused *local.ThrottledError
			client := netip.MustParseAddr(fmt.Sprintf(address, i))
			if !errors.As(w.try(fmt.Sprint(address, i), right, client), &refused) {
				looked++
			}
		}
		return looked
	}
	w.Configure(local.Settings{MinTime: time.Nanosecond})
	if n := try("2001:db8:1:1::%x", 60); n != 20 {
		w.Errorf("%d from one /64, want 20", n)
	}
	if n := try("2001:db8:1:2::%x", 60); n != 20 {
		w.Errorf("%d from the /64 beside, want 20", n)
	}
	if n := try("2001:db8:1:1%x::1", 200); n != 60 {
		w.Errorf("%d more from the /48, want 60", n)
	}
	if n := try("198.51.100.%d", 200); n != 100 {
		w.Errorf("%d from one /24, want 100", n)
	}
}

func stuffing(w *world) {
	for i := range 450 { // of two minutes
		if err := w.try(fmt.Sprint("user-", i), right, from(i)); !errors.Is(err, local.ErrWrong) {
			w.Fatal(err)
		}
	}
	if n := w.lines.FilterMessageSnippet("somebody may be guessing").Len(); n != 2 {
		w.Errorf("%d alarms, want 2", n)
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, true)
}

func noLockout(w *world) {
	device := w.opens(local.Attempt{Login: "bob", Password: right}, true).Device
	for i := range 500 {
		_ = w.try("bob", wrong, from(i))
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
	owner := local.Attempt{Login: "bob", Password: right, Device: device, Client: from(1)}
	for range 3 {
		owner.Device = w.opens(owner, true).Device
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false) // strangers still wait
	// Nor does anybody at the owner's address keep him out.
	client := netip.MustParseAddr("192.0.2.7")
	for i := range 30 {
		_ = w.try(fmt.Sprint("user-", i), wrong, client)
	}
	owner.Client = client
	w.opens(owner, true)
	// The cookie alone is no way to guess on.
	before := w.users.looked.Load()
	owner.Password = wrong
	for i := range 100 {
		owner.Client = from(1000 + i)
		w.opens(owner, false)
	}
	if n := w.users.looked.Load() - before; n > 12 {
		w.Errorf("%d passwords were looked at with a stolen cookie", n)
	}
	pass(15 * time.Minute)
	w.opens(local.Attempt{Login: "bob", Password: right}, true)
}

func guessesAtOnce(w *world) {
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() { _ = w.try("bob", wrong, from(i)) })
	}
	all.Wait()
	if n := w.users.looked.Load(); n != 5 {
		w.Errorf("%d passwords were looked at, want 5", n)
	}
	for i := range 200 {
		all.Go(func() { _ = w.try(fmt.Sprint("user-", i), wrong, from(1000)) })
	}
	all.Wait()
	var refused *local.ThrottledError
	if err := w.try("alice", wrong, from(1000)); !errors.As(err, &refused) {
		w.Errorf("after 200 at once from one address: %v", err)
	}
	// Right ones at once are no failures.
	w.add(user.User{Name: "alice"})
	for i := range 5 {
		all.Go(func() {
			if err := w.try("alice", right, from(2000+i)); err != nil {
				w.Error(err)
			}
		})
	}
	all.Wait()
	for range 30 {
		w.opens(local.Attempt{Login: "alice", Password: right, Client: from(3000)}, true)
	}
}

func clientState(w *world) {
	device := w.opens(local.Attempt{Login: "bob", Password: right}, true).Device
	for _, a := range []local.Attempt{
		{Device: "x"}, {Device: strings.ToUpper(device)}, {Device: device + "0"},
		{Device: strings.Repeat("~", 5000)}, {Device: "a.b.c~d.e.f"}, {Device: "..~..~.."},
	} {
		a.Login, a.Password, a.Client = "bob", wrong, from(len(a.Device))
		w.opens(a, false)
	}
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
}

func deviceCookie(w *world) {
	w.add(user.User{Name: "alice"})
	first := w.opens(local.Attempt{Login: "bob", Password: right}, true).Device
	w.block("alice")
	w.opens(local.Attempt{Login: "alice", Password: right, Device: first}, false) // bob's
	pass(time.Hour)
	both := w.opens(local.Attempt{Login: "alice", Password: right, Device: first}, true).Device
	w.block("bob")
	w.opens(local.Attempt{Login: "bob", Password: right, Device: both}, true)
	w.block("alice")
	w.opens(local.Attempt{Login: "alice", Password: right, Device: both}, true)
	for i := range 6 { // a shared computer stays known for the last four
		name := fmt.Sprint("user-", i)
		w.add(user.User{Name: name})
		both = w.opens(local.Attempt{Login: name, Password: right, Device: both}, true).Device
	}
	if n := strings.Count(both, "~") + 1; n != 4 || len(both) > 1024 {
		w.Errorf("a cookie of %d marks and %d bytes", n, len(both))
	}
	w.opens(local.Attempt{Login: "alice", Password: right, Device: both}, false)
	w.Local = local.New(local.Options{
		Users: w.users, Hasher: cheap(), Signer: signer{},
		Now: func() time.Time { return time.Now().Add(180 * 24 * time.Hour) },
	})
	w.block("bob")
	w.opens(local.Attempt{Login: "bob", Password: right, Device: first}, false) // too old
}

func reloadAndRestart(w *world) {
	w.block("bob")
	w.Configure(local.Settings{Limits: local.Limits{Failures: 3}})
	w.opens(local.Attempt{Login: "bob", Password: right}, false)
	restarted := w.another(nil, cheap())
	_, err := restarted.SignIn(w.Context(), local.Attempt{Login: "bob", Password: right})
	if err != nil {
		w.Errorf("after a restart, which forgets as documented: %v", err)
	}
}

func hashFlood(w *world) {
	w.add(user.User{Name: "alice"})
	device := w.opens(local.Attempt{Login: "alice", Password: right}, true).Device
	var all sync.WaitGroup
	var mu sync.Mutex
	ends := map[error]int{}
	for i := range 1000 {
		all.Go(func() {
			err := w.try(fmt.Sprint("user-", i), wrong, from(i))
			mu.Lock()
			defer mu.Unlock()
			ends[err]++
		})
	}
	w.opens(local.Attempt{Login: "alice", Password: right, Device: device}, true)
	all.Wait()
	if ends[local.ErrBusy]+ends[local.ErrWrong] != 1000 {
		w.Errorf("ended as %v", ends)
	}
	synctest.Wait()
	w.opens(local.Attempt{Login: "bob", Password: right}, true)
}

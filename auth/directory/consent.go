package directory

import (
	"context"
	"slices"

	"doorward/auth/user"
)

// mostConsents bounds what is remembered of a user. Texts change, and what was agreed
// to before is nobody's any more.
const mostConsents = 100

// consentOf is what stands for the text of a route: another text is to be agreed to
// anew.
func consentOf(route, text string) string {
	return hashOf([]byte(route + "\n" + text)).text()
}

// Given tells whether a user has agreed to this text of a route.
func (d *Directory) Given(userID, route, text string) bool {
	p := d.Person(userID)
	return p != nil && slices.Contains(p.View().User.Consents, consentOf(route, text))
}

// Give remembers that a user has agreed to this text of a route.
func (d *Directory) Give(ctx context.Context, userID, route, text string) error {
	_, err := d.Update(ctx, userID, func(u *user.User) error {
		consent := consentOf(route, text)
		if slices.Contains(u.Consents, consent) {
			return nil
		}
		if u.Consents = append(u.Consents, consent); len(u.Consents) > mostConsents {
			u.Consents = u.Consents[1:]
		}
		return nil
	})
	return err
}

package page

import (
	"slices"
)

// field is a field of a form. It has one name, which is its ID too.
type field struct {
	ID, Label, Type, Kind, Value, Hint string
	Required, Focus                    bool
}

// fieldOf says which field a problem is about.
var fieldOf = map[Code]string{
	WrongLogin: "password", NoProvider: "login", WrongPassword: "current",
	PasswordShort: "new", PasswordLong: "new", PasswordCommon: "new",
	PasswordPersonal: "new", PasswordSimple: "new", PasswordSame: "new",
	PasswordDiffers: "again", NameMissing: "name", NameTaken: "name", NameInvalid: "name",
	EmailInvalid: "email", TitleMissing: "title", LinkInvalid: "code",
}

// Field makes a field for text. The rest is "required" or "", and a hint.
func (s *sheet) Field(id, label, kind, fill string, rest ...string) field {
	f := field{ID: id, Label: label, Type: kind, Kind: fill}
	for i, p := range []*string{&f.Value, nil, &f.Hint} {
		if p != nil && i < len(rest) {
			*p = rest[i]
		}
	}
	f.Required = slices.Contains(rest[min(1, len(rest)):], "required")
	f.Focus = s.focus(f)
	return f
}

// Secret makes a field for a password, with a hint.
func (s *sheet) Secret(id, label, fill string, hint ...string) field {
	f := field{ID: id, Label: label, Kind: fill, Required: true}
	if len(hint) > 0 {
		f.Hint = hint[0]
	}
	f.Focus = s.focus(f)
	return f
}

// focus tells whether the page begins in the field: in the first one to mend, else
// in the first that is empty where the page is about a form. A page may say so of
// several: the first of them gets it.
func (s *sheet) focus(f field) bool {
	if len(s.Problems) > 0 {
		return s.Wrong(f.ID)
	}
	switch v := s.V.(type) {
	case *SignIn:
		single := len(v.Providers) == 0 && v.Known == nil
		return single && (f.ID == "login" && f.Value == "" || f.ID == "password" && v.Form.Login != "")
	case *Setup:
		return f.ID == "code" || f.ID == "name" && f.Value == ""
	case *Password:
		return v.Must && (f.ID == "current" || v.First && f.ID == "new")
	}
	return false
}

// Wrong tells whether a problem is about the field.
func (s *sheet) Wrong(id string) bool {
	return slices.ContainsFunc(s.Problems, func(p Problem) bool { return s.about(p) == id })
}

// about is the field of a problem: the new password has another name where there is
// no other password.
func (s *sheet) about(p Problem) string {
	id := fieldOf[p.Code]
	if _, ok := s.V.(*Setup); ok && id == "new" {
		return "password"
	}
	return id
}

// Describes names the elements that say more about a field: what is wrong, its
// hint.
func (s *sheet) Describes(id, hint string) string {
	switch {
	case s.Wrong(id) && hint != "":
		return "problems " + id + "-hint"
	case s.Wrong(id):
		return "problems"
	case hint != "":
		return id + "-hint"
	}
	return ""
}

// lifetime is a choice of how long a token lives.
type lifetime struct {
	Days    int
	Title   string
	Current bool
}

// Lifetimes are the choices of the page of tokens, as far as they are allowed.
func (s *sheet) Lifetimes() []lifetime {
	v, ok := s.V.(*Tokens)
	if !ok {
		return nil
	}
	days := []int{7, 30, 90, 365}
	if v.MaxDays > 0 {
		days = slices.DeleteFunc(days, func(d int) bool { return d >= v.MaxDays })
		days = append(days, v.MaxDays)
	} else {
		days = append(days, 0)
	}
	chosen := v.Days
	if !slices.Contains(days, chosen) || chosen == 0 && v.Title == "" {
		chosen = days[min(1, len(days)-1)]
		if slices.Contains(days, 90) {
			chosen = 90
		}
	}
	var all []lifetime
	for _, d := range days {
		title := s.Say("tokens.forever_choice")
		if d > 0 {
			title = s.Count("days", d)
		}
		all = append(all, lifetime{Days: d, Title: title, Current: d == chosen})
	}
	return all
}

// room is a page of the account.
type room struct {
	Href, Title, Icon string
	Current           bool
}

// Rooms are the pages of the account.
func (s *sheet) Rooms() []room {
	all := []struct {
		name, path, icon string
		without          bool
	}{
		{"account", "/account", "person", false},
		{"sessions", "/account/sessions", "desktop", false},
		{"password", "/account/password", "lock", s.without.Password},
		{"identities", "/account/identities", "link", s.without.Identities},
		{"tokens", "/account/tokens", "key", s.without.Tokens},
	}
	var rooms []room
	for _, r := range all {
		if !r.without {
			rooms = append(rooms, room{Href: s.To(r.path), Title: s.Say(r.name + ".title"),
				Icon: r.icon, Current: r.name == s.name})
		}
	}
	return rooms
}

/// Gives each variant of an enum the name under which it is stored and shown.
///
/// ```
/// # use paywright_domain::variant_names;
/// #[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// enum Color { Red, DarkBlue }
/// variant_names! {
///     /// Name in stored rows.
///     Color { Red => "red", DarkBlue => "dark_blue" }
/// }
/// assert_eq!(Color::DarkBlue.name(), "dark_blue");
/// assert_eq!(Color::named("red"), Some(Color::Red));
/// assert_eq!(Color::named("green"), None);
/// assert_eq!(Color::ALL, [Color::Red, Color::DarkBlue]);
/// ```
///
/// The doc comment becomes that of `name`. For an enum whose variants carry data, the macro is given the method to
/// define, with its visibility, and defines neither `ALL` nor `named`; with the name of a constant after the method, it
/// defines that as the list of the names. In all forms the compiler refuses a variant without a name:
///
/// ```
/// # use paywright_domain::variant_names;
/// enum Shape { Point, Circle { radius: u32 } }
/// variant_names! {
///     /// Name in logs.
///     pub Shape::name { Point => "point", Circle => "circle" }
/// }
/// assert_eq!(Shape::Circle { radius: 2 }.name(), "circle");
/// ```
///
/// Not a part of the stable interface: it is public for the other crates of Paywright.
#[doc(hidden)]
#[macro_export]
macro_rules! variant_names {
    ($(#[$doc:meta])+ $Enum:ident { $($Variant:ident => $name:literal),+ $(,)? }) => {
        impl $Enum {
            /// Every variant, in the order of their declaration.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$Variant),+];

            $(#[$doc])+
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }

            /// The variant with this name, as [`Self::name`] gives it.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|it| it.name() == name)
            }
        }
    };
    ($(#[$doc:meta])+ $vis:vis $Enum:ident::$method:ident, $NAMES:ident { $($Variant:ident => $name:literal),+ $(,)? }) => {
        $crate::variant_names! { $(#[$doc])+ $vis $Enum::$method { $($Variant => $name),+ } }

        impl $Enum {
            /// Name of every variant, in the order of their declaration.
            $vis const $NAMES: [&'static str; [$($name),+].len()] = [$($name),+];
        }
    };
    ($(#[$doc:meta])+ $vis:vis $Enum:ident::$method:ident { $($Variant:ident => $name:literal),+ $(,)? }) => {
        impl $Enum {
            $(#[$doc])+
            $vis const fn $method(&self) -> &'static str {
                match self {
                    $(Self::$Variant { .. } => $name,)+
                }
            }
        }
    };
}

/// Implements `FromStr` for enums with names, with an [`UnknownName`](crate::text::UnknownName) that lists them.
macro_rules! parsed_by_name {
    ($($Enum:ident: $what:literal),+ $(,)?) => {$(
        impl std::str::FromStr for $Enum {
            type Err = $crate::text::UnknownName;

            /// Finds the variant with this name.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::named(text)
                    .ok_or_else(|| $crate::text::UnknownName::new(text, $what, Self::ALL.iter().map(|it| it.name())))
            }
        }
    )+};
}

"""Lifecycles that extend the built-in one, whole and checked: copy one to begin your own."""

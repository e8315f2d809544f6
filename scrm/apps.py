from django.apps import AppConfig


class ScrmConfig(AppConfig):
    name = "scrm"

    def ready(self) -> None:
        from scrm import wiring

        wiring.connect()
